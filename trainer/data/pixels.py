"""The patch itself as a descriptor: shrunk to 8 x 8 by area, brought to mean 0 and deviation 1."""

from __future__ import annotations

import numpy as np

_PIXELS_SIDE = 8
_BLOCK = 1024  # patches converted to float32 at once


def pixels(patches: np.ndarray) -> np.ndarray:
    """Describes uint8 [M, h, h], float32 [M, 64]."""
    side = patches.shape[-1]
    # Overlap of each small pixel with each pixel, in pixels: area resizing as two products.
    edges = np.linspace(0, side, _PIXELS_SIDE + 1)
    low, high = np.arange(side)[:, None], np.arange(1, side + 1)[:, None]
    weight = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None)
    weight = (weight * _PIXELS_SIDE / side).astype(np.float32)
    small = np.empty((len(patches), _PIXELS_SIDE**2), np.float32)
    for start in range(0, len(patches), _BLOCK):
        block = patches[start : start + _BLOCK].astype(np.float32)
        small[start : start + _BLOCK] = (weight.T @ block @ weight).reshape(len(block), -1)
    small -= small.mean(axis=1, keepdims=True)
    return small / np.maximum(small.std(axis=1, keepdims=True), 1e-6)

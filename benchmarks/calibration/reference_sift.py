"""SIFT as HPatches' published `sift` and `rootsift` are: no blur, the patch is the window.

Four by four bins of 16.25 px cover the 65 px exactly; gradients are those of the patch as it is.
OpenCV's SIFT, which the project takes as its baseline, blurs first.

Source: Lowe, IJCV 2004; the benchmark's MATLAB baselines, which call VLFeat's descriptor with
magnification 0.5 and a scale of half the patch.
"""

from __future__ import annotations

import numpy as np

from trainer.core.variants import PATCH_SIZE

_BINS, _DIRECTIONS = 4, 8
_LARGEST = 0.2  # share of the length that one value may have
_BLOCK = 1024  # patches at a time: some tens of MB


def sift(patches: np.ndarray) -> np.ndarray:
    """Describes uint8 [M, 65, 65] by SIFT without blur, float32 [M, 128] of length 1."""
    weights = _spatial_weights()
    histograms = np.empty((len(patches), _DIRECTIONS, _BINS * _BINS), np.float32)
    for start in range(0, len(patches), _BLOCK):
        block = patches[start : start + _BLOCK].astype(np.float32)
        gy, gx = np.gradient(block, axis=(1, 2))
        strength = np.hypot(gx, gy).reshape(len(block), -1)
        place = np.arctan2(gy, gx).reshape(len(block), -1) * np.float32(_DIRECTIONS / (2 * np.pi))
        for direction in range(_DIRECTIONS):
            away = np.abs((place - direction + _DIRECTIONS / 2) % _DIRECTIONS - _DIRECTIONS / 2)
            share = strength * np.maximum(1 - away, 0)
            histograms[start : start + _BLOCK, direction] = share @ weights
    histograms = _unit(histograms.reshape(len(patches), -1))
    return _unit(np.minimum(histograms, _LARGEST))


def rootsift(patches: np.ndarray) -> np.ndarray:
    """Describes uint8 [M, 65, 65] by RootSIFT without blur, float32 [M, 128] of length 1."""
    values = sift(patches)
    return np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1e-12))


def _spatial_weights() -> np.ndarray:
    """Share of each pixel in each spatial bin, window included: float32 [65 * 65, 16]."""
    side = PATCH_SIZE / _BINS
    place = (np.arange(PATCH_SIZE) - PATCH_SIZE // 2) / side  # in bins from the centre
    window = np.exp(-(place**2) / (2 * (_BINS / 2) ** 2))
    centres = np.arange(_BINS) - (_BINS - 1) / 2
    each = np.maximum(1 - np.abs(place[:, None] - centres), 0) * window[:, None]
    each[[0, -1]] = 0  # gradients of the outermost pixels are one-sided
    both = each[:, None, :, None] * each[None, :, None, :]
    return both.reshape(PATCH_SIZE**2, _BINS**2).astype(np.float32)


def _unit(values: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return (values / np.maximum(length, 1e-12)).astype(np.float32)

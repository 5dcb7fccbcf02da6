"""Resizing patches by area without TensorFlow; the same bytes as `trainer.data.image`."""

from __future__ import annotations

import numpy as np


def overlaps(size: int, target: int) -> np.ndarray:
    """Returns what resizes a row by area: the overlap of input and output pixels.

    Args:
        size: Pixels of the row.
        target: Pixels of the resized row.

    Returns:
        float32 [size, target], in units of 1/target of an input pixel, so whole numbers.
        Every column sums to `size`.

    Example:
        >>> overlaps(3, 2).tolist()
        [[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]]
    """
    pixel = np.arange(size)[:, None] * target
    cell = np.arange(target)[None, :] * size
    overlap = np.minimum(pixel + target, cell + size) - np.maximum(pixel, cell)
    return np.maximum(overlap, 0).astype(np.float32)


def resize(patches: np.ndarray, target: int) -> np.ndarray:
    """Resizes patches by area; an output pixel is the mean of the area it covers.

    Args:
        patches: uint8 [N, h, w], up to 256 pixels on a side.
        target: Pixels on a side of the result.

    Returns:
        uint8 [N, target, target] (ties round to even).
    """
    height, width = patches.shape[1:]
    if (height, width) == (target, target):
        return patches
    across = patches.astype(np.float32) @ overlaps(width, target)
    sums = overlaps(height, target).T @ across
    return np.round(sums / np.float32(height * width)).astype(np.uint8)

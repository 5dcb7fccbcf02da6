"""Squares cut out of images as HPatches' are: the outermost samples lie on the half-width.

Source: the official `ref.png` of v_graffiti and the frames of its patches, measured.
"""

from __future__ import annotations

import cv2
import numpy as np

from components.example_gen.geometry import homography
from trainer.core.variants import PATCH_SIZE

_PATCHES_PER_BLOCK = 128  # cv2.remap takes at most 32766 rows
_HALF = (PATCH_SIZE - 1) // 2  # steps from the centre to the outermost samples
# Blur in pixels by how much a patch shrinks its image: official patches of steps from 1 to 2
# pixels agree best with 0.7, from 2 to 4 with 1.6, beyond with 3.2; smaller ones with none.
_BLURS = (0.0, 0.7, 1.6, 3.2)


def cut(image: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Cuts squares and resamples them bilinearly, uint8 [N, 65, 65].

    Args:
        image: uint8 [height, width].
        matrices: float64 [N, 3, 3], half-width coordinates to pixels (projective). Sample i of a
            patch's row or column lies at (i - 32) / 32.
    """
    patches = np.empty((len(matrices), PATCH_SIZE, PATCH_SIZE), np.uint8)
    levels = _levels(matrices)
    steps = np.arange(-_HALF, _HALF + 1) / _HALF
    u, v = np.meshgrid(steps, steps)
    grid = np.stack([u.ravel(), v.ravel(), np.ones(u.size)])
    for level in np.unique(levels):
        source = image
        if _BLURS[level]:
            source = cv2.GaussianBlur(image, (0, 0), _BLURS[level], borderType=cv2.BORDER_REPLICATE)
        members = np.flatnonzero(levels == level)
        for start in range(0, len(members), _PATCHES_PER_BLOCK):
            block = members[start : start + _PATCHES_PER_BLOCK]
            places = matrices[block] @ grid
            x, y = (places[:, :2] / places[:, 2:]).astype(np.float32).swapaxes(0, 1)
            rows = cv2.remap(
                source, np.ascontiguousarray(x), np.ascontiguousarray(y), cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )  # fmt: skip
            patches[block] = rows.reshape(-1, PATCH_SIZE, PATCH_SIZE)
    return patches


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the correlation of the pixels of each pair of patches, float64 [N].

    Args:
        first: [N, h, w].
        second: [N, h, w].

    Example:
        >>> patch = np.arange(4.0).reshape(1, 2, 2)
        >>> correlations(patch, 3 - patch)
        array([-1.])
    """
    a, b = (each.reshape(len(each), -1).astype(np.float64) for each in (first, second))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    return (a * b).sum(1) / np.sqrt(np.maximum((a * a).sum(1) * (b * b).sum(1), 1e-12))


def _levels(matrices: np.ndarray) -> np.ndarray:
    """Which of the blurs each patch takes, int64 [N]."""
    centre = np.zeros((len(matrices), 2))
    stretch = np.linalg.svd(homography.jacobian(matrices, centre), compute_uv=False)
    # The mean of both directions: a patch squeezed in one alone is hardly blurred.
    step = np.sqrt(stretch.prod(-1)) / _HALF
    return np.clip(np.ceil(np.log2(step)), 0, len(_BLURS) - 1).astype(np.int64)

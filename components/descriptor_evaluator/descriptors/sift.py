"""SIFT at the centre of the patch, and RootSIFT.

* SIFT: Lowe's descriptor by OpenCV; keypoint size 65/6, angle 0.
* RootSIFT: the same, L1-normalised, then the square root (Arandjelovic and Zisserman, Three
  things everyone should know to improve object retrieval, CVPR 2012).

Both are at their best after a Gaussian blur, which real scenes reward, and with another
keypoint size and border (`SiftRecipe`).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

_SIFT_SIZE = 128
_CHUNK = 256  # patches per task: OpenCV lets other threads run while it computes


@dataclass(frozen=True)
class SiftRecipe:
    """How a patch is given to SIFT.

    Attributes:
        sigma: Deviation in pixels of the Gaussian blur before; 0 for none.
        size: Keypoint size as OpenCV counts it, as a part of the patch's side. At 1/6 the
            window that is weighed in reaches beyond the patch's corners.
        padding: Border of repeated edge pixels on each side, as a part of the patch's side.
    """

    sigma: float = 0.0
    size: float = 1 / 6
    padding: float = 0.0


PUBLISHED = SiftRecipe()
SMOOTHED = SiftRecipe(sigma=3.0)


def sift(patches: np.ndarray, recipe: SiftRecipe = PUBLISHED) -> np.ndarray:
    """Describes uint8 [M, h, h] by OpenCV's SIFT, float32 [M, 128] of values 0..255."""
    result = np.empty((len(patches), _SIFT_SIZE), np.float32)
    side = patches.shape[-1]
    border = round(recipe.padding * side)
    centre = side // 2 + border
    keypoint = [cv2.KeyPoint(centre, centre, recipe.size * side, 0.0)]

    def work(start: int) -> None:
        # One layer per octave: the descriptor only reads the first image of the pyramid, and
        # with fewer layers OpenCV computes fewer of those that nobody looks at.
        extractor = cv2.SIFT_create(nOctaveLayers=1)  # type: ignore[attr-defined]
        for place in range(start, min(start + _CHUNK, len(patches))):
            patch = patches[place]
            if recipe.sigma > 0:
                patch = cv2.GaussianBlur(patch, (0, 0), recipe.sigma)
            if border:
                patch = cv2.copyMakeBorder(
                    patch, border, border, border, border, cv2.BORDER_REPLICATE
                )
            result[place] = extractor.compute(patch, keypoint)[1][0]

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(work, range(0, len(patches), _CHUNK)))
    return result


def rootsift(patches: np.ndarray, recipe: SiftRecipe = PUBLISHED) -> np.ndarray:
    """Describes uint8 [M, h, h] by RootSIFT, float32 [M, 128] of length 1."""
    descriptors = sift(patches, recipe)
    total = np.abs(descriptors).sum(axis=1, keepdims=True)
    return np.sqrt(descriptors / np.maximum(total, 1e-12))


def in_words(recipe: SiftRecipe) -> str:
    """Says what a recipe does.

    Example:
        >>> in_words(SiftRecipe(3.5, 0.2, 0.25)), in_words(SMOOTHED)
        ('blur 3.5 px, size 1/5, border 0.25', 'blur 3 px, size 1/6, no border')
    """
    border = f"border {recipe.padding:.3g}" if recipe.padding else "no border"
    return f"blur {recipe.sigma:g} px, size 1/{1 / recipe.size:.3g}, {border}"

"""Cutting squares out of an image: many at a time, without aliasing."""

from __future__ import annotations

import cv2
import numpy as np

from components.example_gen.geometry.homography import jacobian
from trainer.core.variants import PATCH_SIZE

# cv2.remap takes at most 32766 rows and columns; a block of maps this high fits the cache.
_PATCHES_PER_BLOCK = 128
_CAMERA_BLUR = 0.5  # sigma in pixels that any image is assumed to have (Lowe 2004)


class ImageSampler:
    """Samples patches from one image, blurring it first where patches shrink it.

    Attributes:
        image: uint8 [height, width].
    """

    def __init__(self, image: np.ndarray):
        self.image = image
        self._blurred: dict[int, np.ndarray] = {0: image}

    def sample(self, matrices: np.ndarray, size: int = PATCH_SIZE) -> np.ndarray:
        """Cuts squares and resamples them bilinearly, uint8 [N, size, size].

        A patch whose pixels are s > 1 image pixels apart is taken from the image blurred by
        a Gaussian of sigma 0.5 * sqrt(s^2 - 1): what remains is the blur of a camera with
        pixels of that size. s is the larger of both directions (so nothing aliases in
        either) in steps of sqrt(2).

        Args:
            matrices: float64 [N, 3, 3], half-width coordinates to image pixels (projective).
                The pixels of a patch cover [-1, 1]: pixel i is centred at (2i + 1) / size - 1.
            size: Side of a patch in pixels.
        """
        patches = np.empty((len(matrices), size * size), np.uint8)
        levels = self._levels(matrices, size)
        steps = (2 * np.arange(size) + 1) / size - 1
        x, y = np.meshgrid(steps, steps)
        grid = np.stack([x.ravel(), y.ravel(), np.ones(size * size)]).astype(np.float32)
        for level in np.unique(levels):
            members = np.flatnonzero(levels == level)
            image = self._blur(int(level))
            for start in range(0, len(members), _PATCHES_PER_BLOCK):
                block = members[start : start + _PATCHES_PER_BLOCK]
                patches[block] = _remap(image, matrices[block], grid)
        return patches.reshape(-1, size, size)

    def _levels(self, matrices: np.ndarray, size: int) -> np.ndarray:
        """Blur level of each patch: 0 for none, else 2 * log2 of the shrinkage, rounded."""
        stretch = np.linalg.svd(
            jacobian(matrices, np.zeros((len(matrices), 2))), compute_uv=False
        ).max(-1, initial=0)
        return np.maximum(np.round(2 * np.log2(np.maximum(stretch * 2 / size, 1e-6))), 0)

    def _blur(self, level: int) -> np.ndarray:
        if level not in self._blurred:
            shrinkage = 2 ** (level / 2)
            sigma = _CAMERA_BLUR * np.sqrt(shrinkage**2 - 1)
            self._blurred[level] = cv2.GaussianBlur(
                self.image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE
            )
        return self._blurred[level]


def _remap(image: np.ndarray, matrices: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Samples one block of patches as the rows of a single map: uint8 [N, size * size]."""
    # The frame's centre is divided out in float64, so that float32 holds the rest.
    scaled = (matrices / matrices[:, 2:, 2:]).astype(np.float32)
    places = scaled @ grid
    x, y, depth = places[:, 0], places[:, 1], places[:, 2]
    if scaled[:, 2, :2].any():
        x, y = x / depth, y / depth
    return cv2.remap(
        image,
        np.ascontiguousarray(x),
        np.ascontiguousarray(y),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )

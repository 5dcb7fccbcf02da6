"""Cutting squares out of an image as HPatches' are: many at a time.

Source: the official `ref.png` of v_graffiti and the frames of its patches, measured (see
`docs/protocol.md`).
"""

from __future__ import annotations

import cv2
import numpy as np

from components.example_gen.geometry.homography import jacobian
from trainer.core.variants import PATCH_SIZE
from trainer.model.patch_identity import BLUR_SIGMAS, CAMERA_BLUR, LEAST_BLUR

# cv2.remap takes at most 32766 rows and columns; a block of maps this high fits the cache.
_PATCHES_PER_BLOCK = 128


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

        The image is blurred first for patches whose samples are more than a pixel apart, in
        the mean of both directions: by 0.7 pixels up to 2, by 1.6 up to 4, and so on.

        Args:
            matrices: float64 [N, 3, 3], half-width coordinates to image pixels (projective).
                The outermost samples of a patch lie on the half-width: sample i of `size` is
                at 2i / (size - 1) - 1.
            size: Number of samples along a side, at least 2.
        """
        patches = np.empty((len(matrices), size * size), np.uint8)
        levels = _levels(matrices, size)
        steps = 2 * np.arange(size) / (size - 1) - 1
        x, y = np.meshgrid(steps, steps)
        grid = np.stack([x.ravel(), y.ravel(), np.ones(size * size)]).astype(np.float32)
        for level in np.unique(levels):
            members = np.flatnonzero(levels == level)
            image = self._blur(int(level))
            for start in range(0, len(members), _PATCHES_PER_BLOCK):
                block = members[start : start + _PATCHES_PER_BLOCK]
                patches[block] = _remap(image, matrices[block], grid)
        return patches.reshape(-1, size, size)

    def sample_smoothed(
        self, matrices: np.ndarray, sigmas: np.ndarray, smoothing: float
    ) -> np.ndarray:
        """Cuts squares out of the image blurred to a share of each point's sigma.

        Detail that is far finer than a point is found again less surely than the point.

        Args:
            matrices: float64 [N, 3, 3], as for `sample`.
            sigmas: float [N], of the points in this image, in pixels.
            smoothing: So many sigmas (`trainer.model.patch_identity.PatchIdentity`); 0: not at all.

        Returns:
            uint8 [N, 65, 65].
        """
        patches = np.empty((len(matrices), PATCH_SIZE, PATCH_SIZE), np.uint8)
        blurs = _smoothing_blurs(sigmas, smoothing)
        for blur in np.unique(blurs):
            members = blurs == blur
            sampler = self
            if blur:
                smooth = cv2.GaussianBlur(self.image, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
                sampler = ImageSampler(smooth)
            patches[members] = sampler.sample(matrices[members])
        return patches

    def _blur(self, level: int) -> np.ndarray:
        if level not in self._blurred:
            self._blurred[level] = cv2.GaussianBlur(
                self.image, (0, 0), BLUR_SIGMAS[level], borderType=cv2.BORDER_REPLICATE
            )
        return self._blurred[level]


def _smoothing_blurs(sigmas: np.ndarray, smoothing: float) -> np.ndarray:
    """Returns by how many pixels the image is blurred for each point; few different values."""
    half_octaves = np.round(2 * np.log2(sigmas.astype(np.float64))) / 2
    squares = (smoothing * 2.0**half_octaves) ** 2 - CAMERA_BLUR**2
    blurs = np.sqrt(np.maximum(squares, 0))
    return np.where(blurs < LEAST_BLUR, 0.0, blurs)


def _levels(matrices: np.ndarray, size: int) -> np.ndarray:
    """Which of the blurs each patch takes, int64 [N]."""
    stretch = np.linalg.svd(jacobian(matrices, np.zeros((len(matrices), 2))), compute_uv=False)
    # The mean of both directions: a patch squeezed in one alone is hardly blurred.
    step = np.sqrt(stretch.prod(-1)) * 2 / (size - 1)
    octaves = np.ceil(np.log2(np.maximum(step, 1e-6)) - 1e-9)
    return np.clip(octaves, 0, len(BLUR_SIGMAS) - 1).astype(np.int64)


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

"""Handmade descriptors that a learned one has to beat.

* `sift`: Lowe's descriptor at the centre of the patch (OpenCV; keypoint size 65/6, angle 0).
* `rootsift`: the same, L1-normalised, then the square root (Arandjelovic and Zisserman,
  Three things everyone should know to improve object retrieval, CVPR 2012).
* `rootsift-smoothed`: RootSIFT of the patch after a Gaussian blur, which real scenes reward.
* `pixels`: the patch shrunk to 8 x 8 by area, brought to mean 0 and deviation 1.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from components.descriptor_evaluator import matching
from components.example_gen.patch_set import PatchSet
from trainer.errors import UserError

NAMES = ("rootsift", "rootsift-smoothed", "sift", "pixels")
SMOOTHING_SIGMAS = (2.5, 3.0, 3.5)
DEFAULT_SIGMA = 3.0
_SIFT_SIZE = 128
_PIXELS_SIDE = 8
_CHUNK = 256  # patches per task: OpenCV lets other threads run while it computes


def describe(name: str, patches: np.ndarray, sigma: float = DEFAULT_SIGMA) -> np.ndarray:
    """Describes patches.

    Args:
        name: One of `NAMES`.
        patches: uint8 [M, h, h].
        sigma: Blur of `rootsift-smoothed` in pixels.

    Returns:
        float32 [M, D]; D is 64 for `pixels` and 128 otherwise.

    Raises:
        UserError: When there is no baseline of that name.
    """
    if name == "pixels":
        return _normalised_pixels(patches)
    if name == "sift":
        return _sift(patches, 0.0)
    if name == "rootsift":
        return _root(_sift(patches, 0.0))
    if name == "rootsift-smoothed":
        return _root(_sift(patches, sigma))
    raise UserError(f"there is no baseline '{name}', expected one of {', '.join(NAMES)}")


def describe_sequence(name: str, patches: np.ndarray, sigma: float = DEFAULT_SIGMA) -> np.ndarray:
    """Describes uint8 [N, 16, h, h] as float32 [16, N, D]."""
    count, variants = patches.shape[:2]
    found = describe(name, patches.reshape(count * variants, *patches.shape[2:]), sigma)
    return np.ascontiguousarray(found.reshape(count, variants, -1).swapaxes(0, 1))


def choose_sigma(
    patch_sets: Sequence[PatchSet],
    sigmas: Sequence[float] = SMOOTHING_SIGMAS,
    points: int = 200,
) -> float:
    """Chooses the blur of `rootsift-smoothed` by matching mAP, never on held-out data.

    Args:
        patch_sets: Image sequences to choose on (validation).
        sigmas: Blurs to choose from; of equally good ones the first is taken.
        points: Most points used of each image sequence (the first ones).
    """
    scores = []
    for sigma in sigmas:
        described = {
            item.name: describe_sequence("rootsift-smoothed", item.patches[:points], sigma)
            for item in patch_sets
        }
        scores.append(matching.mean_average_precision(described)["mean"])
    return sigmas[int(np.argmax(scores))]


def _sift(patches: np.ndarray, sigma: float) -> np.ndarray:
    """Returns OpenCV's SIFT of each patch, float32 [M, 128] of values 0..255."""
    result = np.empty((len(patches), _SIFT_SIZE), np.float32)
    side = patches.shape[-1]
    keypoint = [cv2.KeyPoint(side // 2, side // 2, side / 6, 0.0)]

    def work(start: int) -> None:
        # One layer per octave: the descriptor only reads the first image of the pyramid, and
        # with fewer layers OpenCV computes fewer of those that nobody looks at.
        extractor = cv2.SIFT_create(nOctaveLayers=1)  # type: ignore[attr-defined]
        for place in range(start, min(start + _CHUNK, len(patches))):
            patch = patches[place]
            if sigma > 0:
                patch = cv2.GaussianBlur(patch, (0, 0), sigma)
            result[place] = extractor.compute(patch, keypoint)[1][0]

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(work, range(0, len(patches), _CHUNK)))
    return result


def _root(descriptors: np.ndarray) -> np.ndarray:
    total = np.abs(descriptors).sum(axis=1, keepdims=True)
    return np.sqrt(descriptors / np.maximum(total, 1e-12))


def _normalised_pixels(patches: np.ndarray) -> np.ndarray:
    side = patches.shape[-1]
    # Overlap of each small pixel with each pixel, in pixels: area resizing as two products.
    edges = np.linspace(0, side, _PIXELS_SIDE + 1)
    low, high = np.arange(side)[:, None], np.arange(1, side + 1)[:, None]
    weight = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None)
    weight = (weight * _PIXELS_SIDE / side).astype(np.float32)
    small = np.empty((len(patches), _PIXELS_SIDE**2), np.float32)
    for start in range(0, len(patches), 1024):
        block = patches[start : start + 1024].astype(np.float32)
        small[start : start + 1024] = (weight.T @ block @ weight).reshape(len(block), -1)
    small -= small.mean(axis=1, keepdims=True)
    return small / np.maximum(small.std(axis=1, keepdims=True), 1e-6)

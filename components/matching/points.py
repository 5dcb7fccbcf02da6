"""Points of a photograph and their patches, found and cut as the training data were.

Training takes points at random, which teaches all kinds. Here two photographs have to show
the same points, and those with a strong response are found again more often.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from components.example_gen.geometry import detection, frames
from components.example_gen.geometry.patches import ImageSampler
from components.example_gen.settings import ExtractionSettings
from components.matching.photograph import Photograph
from trainer.core.errors import UserError
from trainer.model.patch_identity import KEYPOINT_SIZE_PER_SIGMA

Detector = Literal["training", "sift"]

# Most points of small photographs are smaller than where detection for training begins. They
# are found again less often (on real sequences, those of 1.3 to 1.6 pixels among the strongest
# 1000 cost a tenth of the right matches), so they are taken last.
MIN_SIGMA = 1.0
_LEVELS = 3  # of the scale space, per octave
# More points are oriented than are asked for: near the rim, not every square will fit.
_SPARE = 2


@dataclass(frozen=True)
class Keypoints:
    """Points of a photograph, the strongest first.

    Attributes:
        positions: float32 [N, 3]: x, y and sigma in pixels, as the photograph is matched.
        angles: float64 [N], the direction that is a patch's x-axis, in radians from the image's
            x-axis towards its y-axis (downwards).
        strengths: float32 [N], contrast relative to what the detector asks for.
    """

    positions: np.ndarray
    angles: np.ndarray
    strengths: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True)
class Points(Keypoints):
    """Keypoints with their patches.

    Attributes:
        patches: uint8 [N, 65, 65].
    """

    patches: np.ndarray


def find(
    photograph: Photograph,
    rules: ExtractionSettings,
    limit: int,
    detector: Detector = "training",
) -> Points:
    """Finds the strongest points, and cuts their patches.

    Args:
        photograph: Where to look.
        rules: Detectors, thresholds and the size of a region. Of points whose discs overlap by
            more than `max_overlap` the strongest stays. Those below `min_sigma`, down to
            `MIN_SIGMA`, come after all others.
        limit: Most points.
        detector: `training` for those of `rules` whose regions lie in the photograph; `sift`
            for OpenCV's SIFT, wherever its regions lie.

    Raises:
        UserError: When the photograph is too small for a region, or shows none.
    """
    if detector == "sift":
        keypoints = from_opencv(sift_keypoints(photograph.image, limit))
    else:
        _check_size(photograph, rules)
        keypoints = _strongest(photograph.image, rules, limit)
    if not len(keypoints):
        width, height = photograph.size
        raise UserError(
            f"{photograph.path}: no point was found whose region lies in the photograph "
            f"({width}x{height} pixels), expected one that shows texture"
        )
    patches = cut(photograph.image, keypoints, rules.region, rules.smoothing)
    return Points(keypoints.positions, keypoints.angles, keypoints.strengths, patches)


def cut(
    image: np.ndarray, keypoints: Keypoints, region: float, smoothing: float = 0.0
) -> np.ndarray:
    """Cuts the patches of keypoints; beyond the rim the image's edge is repeated.

    Args:
        image: uint8 [height, width].
        keypoints: Where to cut.
        region: Half the side of a square in sigmas.
        smoothing: The image is first blurred to so many sigmas of a point
            (`trainer.model.patch_identity.PatchIdentity`).

    Returns:
        uint8 [N, 65, 65].
    """
    squares = frames.from_detections(keypoints.positions, keypoints.angles, region)
    return ImageSampler(image).sample_smoothed(squares, keypoints.positions[:, 2], smoothing)


def sift_keypoints(image: np.ndarray, limit: int) -> list[cv2.KeyPoint]:
    """Finds the strongest keypoints of OpenCV's SIFT, the strongest first.

    A place with two dominant orientations is two keypoints, as in SIFT.

    Args:
        image: uint8 [height, width].
        limit: Most keypoints.
    """
    # Without precise upscaling, OpenCV puts keypoints a quarter of a pixel too far right and down.
    detector = cv2.SIFT.create(nfeatures=limit, enable_precise_upscale=True)
    return sorted(detector.detect(image), key=lambda point: -point.response)[:limit]


def from_opencv(keypoints: Sequence[cv2.KeyPoint]) -> Keypoints:
    """Returns keypoints of SIFT as points.

    OpenCV's angle runs from the x-axis towards the y-axis as ours.
    """
    found = [(*k.pt, k.size / KEYPOINT_SIZE_PER_SIGMA) for k in keypoints]
    positions = np.array(found, np.float32).reshape(-1, 3)
    strengths = np.array([k.response for k in keypoints], np.float32)
    return Keypoints(positions, np.deg2rad([float(k.angle) for k in keypoints]), strengths)


def _check_size(photograph: Photograph, rules: ExtractionSettings) -> None:
    width, height = photograph.size
    least = math.ceil(2 * rules.region * _finest(rules.min_sigma))
    if min(width, height) < least:
        raise UserError(
            f"{photograph.path}: is {width}x{height} pixels, expected at least {least} on the "
            f"shorter side, the smallest region that is described"
        )


def _finest(min_sigma: float) -> float:
    """Returns the last level of the scale space down to `MIN_SIGMA`; coarser ones stay as is."""
    steps = max(0, math.floor(_LEVELS * math.log2(min_sigma / MIN_SIGMA)))
    return min_sigma * 2 ** (-steps / _LEVELS)


def _strongest(image: np.ndarray, rules: ExtractionSettings, limit: int) -> Keypoints:
    """Returns the first points whose squares lie in the image."""
    height, width = image.shape
    finer = rules.model_copy(update={"min_sigma": _finest(rules.min_sigma)})
    detections, strength = detection.detect_rated(image, finer)
    whole = frames.discs_inside(detections, rules.region, width, height)
    detections, strength = detections[whole], strength[whole]
    turn = np.empty(len(detections), np.int64)
    small = detections[:, 2] < rules.min_sigma
    turn[np.lexsort((-strength, small))] = np.arange(len(detections))
    stays = frames.take_turns(detections, rules.max_overlap, turn)
    chosen = stays[np.argsort(turn[stays])][: math.ceil(limit * _SPARE)]
    angles = detection.orientations(image, detections[chosen])
    squares = frames.from_detections(detections[chosen], angles, rules.region)
    fits = np.flatnonzero(frames.inside(squares, width, height))[:limit]
    return Keypoints(detections[chosen[fits]], angles[fits], strength[chosen[fits]])

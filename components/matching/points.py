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

Detector = Literal["training", "sift"]

# Smaller than where training begins: two thirds of what photographs show lies below that.
MIN_SIGMA = 1.0
# More points are oriented than are asked for: near the rim, not every square will fit.
_SPARE = 1.25


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
        rules: Detectors, thresholds and the size of a region. `min_sigma` is lowered to
            `MIN_SIGMA`. Of points whose discs overlap by more than `max_overlap` the strongest
            stays.
        limit: Most points.
        detector: `training` for those of `rules` whose regions lie in the photograph; `sift`
            for OpenCV's SIFT, wherever its regions lie.

    Raises:
        UserError: When the photograph is too small for a region, or shows none.
    """
    if detector == "sift":
        found = from_opencv(sift_keypoints(photograph.image, limit))
    else:
        rules = rules.model_copy(update={"min_sigma": min(rules.min_sigma, MIN_SIGMA)})
        _check_size(photograph, rules)
        found = _strongest(photograph.image, rules, limit)
    if not len(found):
        width, height = photograph.size
        raise UserError(
            f"{photograph.path}: no point was found whose region lies in the photograph "
            f"({width}x{height} pixels), expected one that shows texture"
        )
    patches = cut(photograph.image, found, rules.half_width)
    return Points(found.positions, found.angles, found.strengths, patches)


def cut(image: np.ndarray, keypoints: Keypoints, half_width: float) -> np.ndarray:
    """Cuts the patches of keypoints; beyond the rim the image's edge is repeated.

    Args:
        image: uint8 [height, width].
        keypoints: Where to cut.
        half_width: Half the side of a region in sigmas.

    Returns:
        uint8 [N, 65, 65].
    """
    squares = frames.from_detections(keypoints.positions, keypoints.angles, half_width)
    return ImageSampler(image).sample(squares)


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

    OpenCV's size is twice sigma; its angle runs from the x-axis towards the y-axis as ours.
    """
    positions = np.array([(*k.pt, k.size / 2) for k in keypoints], np.float32).reshape(-1, 3)
    strengths = np.array([k.response for k in keypoints], np.float32)
    return Keypoints(positions, np.deg2rad([float(k.angle) for k in keypoints]), strengths)


def _check_size(photograph: Photograph, rules: ExtractionSettings) -> None:
    width, height = photograph.size
    least = math.ceil(2 * rules.half_width * rules.min_sigma)
    if min(width, height) < least:
        raise UserError(
            f"{photograph.path}: is {width}x{height} pixels, expected at least {least} on the "
            f"shorter side, the smallest region that is described"
        )


def _strongest(image: np.ndarray, rules: ExtractionSettings, limit: int) -> Keypoints:
    """Returns the strongest points whose squares lie in the image."""
    height, width = image.shape
    detections, strength = detection.detect_rated(image, rules)
    whole = frames.discs_inside(detections, rules.half_width, width, height)
    detections, strength = detections[whole], strength[whole]
    turn = np.empty(len(detections), np.int64)
    turn[np.argsort(-strength, kind="stable")] = np.arange(len(detections))
    stays = frames.take_turns(detections, rules.max_overlap, turn)
    chosen = stays[np.argsort(turn[stays])][: math.ceil(limit * _SPARE)]
    angles = detection.orientations(image, detections[chosen])
    squares = frames.from_detections(detections[chosen], angles, rules.half_width)
    fits = np.flatnonzero(frames.inside(squares, width, height))[:limit]
    return Keypoints(detections[chosen[fits]], angles[fits], strength[chosen[fits]])

"""Points of a photograph and their patches, found and cut as the training data were.

Training takes points at random, which teaches all kinds. Here two photographs have to show
the same points, and those with a strong response are found again more often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from components.example_gen.geometry import detection, frames
from components.example_gen.geometry.patches import ImageSampler
from components.example_gen.settings import ExtractionSettings
from components.matching.photograph import Photograph
from trainer.core.errors import UserError

# More points are oriented than are asked for: near the rim, not every square will fit.
_SPARE = 1.25


@dataclass(frozen=True)
class Points:
    """Points of a photograph, the strongest first.

    Attributes:
        positions: float32 [N, 3]: x, y and sigma in pixels, as the photograph is matched.
        patches: uint8 [N, 65, 65].
    """

    positions: np.ndarray
    patches: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)


def find(photograph: Photograph, rules: ExtractionSettings, limit: int) -> Points:
    """Finds the strongest points whose regions lie in the photograph, and cuts their patches.

    Args:
        photograph: Where to look.
        rules: Detectors, thresholds and the size of a region. Of points whose discs overlap
            by more than `max_overlap` the strongest stays.
        limit: Most points.

    Raises:
        UserError: When the photograph is too small for a region, or shows none.
    """
    width, height = photograph.size
    least = math.ceil(2 * rules.half_width * rules.min_sigma)
    if min(width, height) < least:
        raise UserError(
            f"{photograph.path}: is {width}x{height} pixels, expected at least {least} on the "
            f"shorter side, the smallest region that is described"
        )
    positions, squares = _strongest(photograph.image, rules, limit)
    if not len(positions):
        raise UserError(
            f"{photograph.path}: no point was found whose region lies in the photograph "
            f"({width}x{height} pixels), expected one that shows texture"
        )
    return Points(positions, ImageSampler(photograph.image).sample(squares))


def _strongest(
    image: np.ndarray, rules: ExtractionSettings, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns positions float32 [N, 3] and frames float64 [N, 3, 3], the strongest first."""
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
    return detections[chosen[fits]], squares[fits]

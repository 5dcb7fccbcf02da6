"""What a user can set about matching two photographs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainer.core.settings import Settings

RIGHT_WITHIN = (1.0, 3.0, 5.0)  # pixels
# Four matches fix a homography and agree with it whatever they are; chance adds a few (of 30
# pairs of unrelated pictures, 120 matches each, one reached 8).
LEAST_INLIERS = 10


class MatchSettings(Settings):
    """How two photographs are matched.

    Attributes:
        points: Most points of each photograph; the strongest are taken.
        ratio: Largest distance of a match relative to that of the second nearest neighbour;
            1 keeps all (Lowe, IJCV 2004, section 7.1).
        threshold: Pixels that a match may be off a homography and still agree with it.
        seed: Seed of RANSAC.
        max_side: Larger photographs are matched at a size of so many pixels on the longer
            side; lengths in pixels are in pixels of that size.
    """

    points: int = Field(default=1000, ge=1)
    ratio: float = Field(default=0.9, gt=0, le=1)
    threshold: float = Field(default=3.0, gt=0)
    seed: int = Field(default=0, ge=0, lt=2**31)
    max_side: int = Field(default=1600, ge=64)


class FeatureSettings(Settings):
    """Which points of a photograph are described.

    Attributes:
        points: Most points of each photograph; the strongest are taken.
        detector: `training` as the model's training found them, `sift` for OpenCV's SIFT.
        max_side: As for `MatchSettings`; positions are always in pixels of the file.
    """

    points: int = Field(default=8192, ge=1)
    detector: Literal["training", "sift"] = "training"
    max_side: int = Field(default=3200, ge=64)


class RatioSettings(Settings):
    """Which nearest neighbours are matches.

    Attributes:
        ratio: As for `MatchSettings`.
        distance: Largest Euclidean distance; None for any.
    """

    ratio: float = Field(default=0.85, gt=0, le=1)
    distance: float | None = Field(default=None, gt=0)

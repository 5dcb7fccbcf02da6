"""What a user can set about matching two photographs."""

from __future__ import annotations

from pydantic import Field

from trainer.core.settings import Settings

RIGHT_WITHIN = (1.0, 3.0, 5.0)  # pixels
# Four matches fix a homography and agree with it whatever they are; chance adds a few.
LEAST_INLIERS = 8


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

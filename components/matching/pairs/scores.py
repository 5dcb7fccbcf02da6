"""What matching image pairs with known homographies is worth, in numbers.

* Matching accuracy: the share of a pair's matches that the true homography puts within so many
  pixels; the mean over pairs is the MMA of Dusmanu et al., D2-Net, CVPR 2019 (the measure of
  Mikolajczyk and Schmid, PAMI 2005, over thresholds).
* Points found again: those of one image that have a point of the other within so many pixels
  (the repeatability of Mikolajczyk et al., IJCV 2005, by places alone). No descriptor can match
  more rightly.
* Corner error: mean distance by which the estimated homography puts the reference's corners
  off (DeTone et al., SuperPoint, CVPR workshops 2018), and the area under the share of pairs
  over the error, up to a threshold (Sarlin et al., SuperGlue, CVPR 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import trapezoid
from scipy.spatial import cKDTree

ACCURACY_WITHIN = (1.0, 3.0, 5.0)  # pixels
AGAIN_WITHIN = 3.0  # pixels
CORNERS_WITHIN = (3.0, 5.0, 10.0)  # pixels


@dataclass(frozen=True)
class PairScore:
    """What one descriptor made of one image pair.

    Attributes:
        sequence: Image sequence.
        kind: `i`, `v` or `u`.
        target: Number of the target image, 2..6.
        matches: Mutual nearest neighbours.
        found_again: Points detected in both images, see `found_again`.
        accuracy: Share of right ones for each of `ACCURACY_WITHIN`; 0 without matches.
        corner_error: Pixels; infinite when no homography was found.
    """

    sequence: str
    kind: str
    target: int
    matches: int
    found_again: int
    accuracy: tuple[float, ...]
    corner_error: float


def found_again(first: np.ndarray, second: np.ndarray) -> int:
    """Counts the points of one image that were detected in the other, too.

    Args:
        first: float64 [N, 2], the true places of one image's points in the other, in pixels.
        second: float64 [M, 2], the other's points.

    Returns:
        Points with one of the other side within `AGAIN_WITHIN`, on the side that has fewer.

    Example:
        Two points of the first image, but only one of the second, are near another one.

        >>> found_again(np.array([[0.0, 0], [1, 0], [50, 0]]), np.array([[0.0, 2], [90, 0]]))
        1
    """
    if not (len(first) and len(second)):
        return 0
    there, back = (
        cKDTree(places).query(others)[0] for places, others in ((second, first), (first, second))
    )
    return min(int((there <= AGAIN_WITHIN).sum()), int((back <= AGAIN_WITHIN).sum()))


def matching_accuracy(errors: np.ndarray) -> tuple[float, ...]:
    """Returns the share of matches within each of `ACCURACY_WITHIN`.

    Args:
        errors: float64 [M], pixels by which matches are off; infinite where there is no
            place to be off from.

    Example:
        >>> matching_accuracy(np.array([0.5, 2.0, 4.0, 9.0]))
        (0.25, 0.5, 0.75)
    """
    if not len(errors):
        return (0.0,) * len(ACCURACY_WITHIN)
    return tuple(float((errors <= limit).mean()) for limit in ACCURACY_WITHIN)


def area_under_errors(errors: Sequence[float] | np.ndarray, limit: float) -> float:
    """Returns the area under the share of pairs whose error is below e, for e up to a limit.

    The curve runs in straight lines through (0, 0) and the errors in rising order.

    Args:
        errors: [P] errors, infinite for failures.
        limit: Largest error that counts for anything.

    Returns:
        0..1; NaN without pairs.

    Source: `pose_auc` of SuperGlue's published evaluation.

    Example:
        Of two pairs one is off by 2 of 4 pixels: the triangle below 2, then half of the rest.

        >>> area_under_errors([2.0, 50.0], 4.0)
        0.375
    """
    values = np.sort(np.asarray(errors, np.float64))
    if not len(values):
        return float("nan")
    counted = values[values < limit]
    share = np.arange(len(counted) + 1) / len(values)
    heights = np.append(share, share[-1])
    places = np.concatenate([[0.0], counted, [limit]])
    return float(trapezoid(heights, places) / limit)


def summarise(scores: Sequence[PairScore]) -> dict[str, Any]:
    """Returns the means over pairs.

    Returns:
        `pairs` (how many), `matches` (mean number), `right` (mean number of right matches, by
        pixels: accuracy alone favours a descriptor that finds few), `found_again` (mean number of
        points that could be matched rightly), `accuracy` by pixels, `corner_auc` by
        pixels, and `homographies` (share of pairs for which one was found); shares are fractions.
    """
    accuracy = np.array([score.accuracy for score in scores])
    matches = np.array([score.matches for score in scores], np.float64)
    errors = np.array([score.corner_error for score in scores])
    return {
        "pairs": len(scores),
        "matches": float(matches.mean()),
        "right": _by_pixels((accuracy * matches[:, None]).mean(axis=0)),
        "found_again": float(np.mean([score.found_again for score in scores])),
        "accuracy": _by_pixels(accuracy.mean(axis=0)),
        "corner_auc": {f"{limit:g}": area_under_errors(errors, limit) for limit in CORNERS_WITHIN},
        "homographies": float(np.isfinite(errors).mean()),
    }


def _by_pixels(values: np.ndarray) -> dict[str, float]:
    return {
        f"{limit:g}": float(value) for limit, value in zip(ACCURACY_WITHIN, values, strict=True)
    }

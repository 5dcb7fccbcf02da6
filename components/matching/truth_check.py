"""Whether a given homography contradicts what the matches of two photographs agree on."""

from __future__ import annotations

import numpy as np

from components.example_gen.geometry import homography
from components.matching import ransac

_LEAST_AGREEING = 30  # matches, and
_LEAST_SHARE = 0.3  # of all, that agree on another homography: no chance, no repeated texture
_MOST_RIGHT = 0.2  # share of these that the given one is near to, as around a fixed point
_NEAR = 10.0  # pixels, or
_NEAR_SHARE = 0.01  # of the longer side of a large photograph
_FITS = 2.0  # pixels that half of these may be off another reading of the given one


def contradiction(
    truth: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    fit: ransac.Fit | None,
    size: tuple[int, int],
) -> str:
    """Says that a homography does not fit, though matches agree on another one; "" otherwise.

    Args:
        truth: float64 [3, 3], the given homography.
        first: float64 [M, 2], matched places in the first photograph.
        second: float64 [M, 2], the places in the second that they were matched to.
        fit: The homography that most matches agree with.
        size: Width and height of the first photograph.
    """
    if fit is None or fit.inliers.sum() < max(_LEAST_AGREEING, _LEAST_SHARE * len(first)):
        return ""
    first, second = first[fit.inliers], second[fit.inliers]
    near = max(_NEAR, _NEAR_SHARE * max(size))

    def errors(matrix: np.ndarray) -> np.ndarray:
        return ransac.transfer_errors(matrix, first, second, size)

    if np.mean(errors(truth) <= near) > _MOST_RIGHT:
        return ""
    others = {ratio: homography.rescaled(truth, ratio) for ratio in homography.RATIOS}
    off = {ratio: float(np.median(errors(matrix))) for ratio, matrix in others.items()}
    best = min(off, key=lambda ratio: off[ratio])
    advice = "check that it belongs to these images"
    if np.median(errors(np.linalg.inv(truth))) <= _FITS:
        advice = "its inverse fits, so invert it"
    elif off[best] <= _FITS:
        advice = f"it fits images {1 / best:.3g} times as large, so scale them or it"
    return (
        f"does not fit: {len(first)} of {len(fit.inliers)} matches agree on another homography; "
        f"{advice}"
    )

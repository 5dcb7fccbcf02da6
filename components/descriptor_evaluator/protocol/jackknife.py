"""How much verification's precision leans on each scene.

Verification pairs cross scenes, so its precision is no mean over scenes and its rows
cannot simply be resampled. Re-weighting scenes instead gives the pair (s1, s2) the weight
w(s1) w(s2). The delete-one jackknife uses the weights 0 and 1: the precision is computed
again without each scene, that is without every pair that touches it. What a scene moves
the precision by (its influence) then stands for the scene as its mean does in the other
tasks, and the same intervals over scenes apply.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 11; for
pairs of units, Arvesen, Annals of Mathematical Statistics 40 (1969).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainer.core.average_precision import average_precision_of_ranks


def precision_without_each(
    negative: np.ndarray,
    positive: np.ndarray,
    touched_by_negative: np.ndarray,
    touched_by_positive: np.ndarray,
    scenes: int,
) -> np.ndarray:
    """Computes the average precision again without the pairs of each scene.

    Args:
        negative: float32 [n] distances of negative pairs; those not finite are never
            retrieved.
        positive: float32 [m] distances of the positive pairs that count.
        touched_by_negative: int [2, n] numbers of the scenes of both patches of each pair.
        touched_by_positive: int [2, m], likewise.
        scenes: Number of scenes.

    Returns:
        float64 [scenes]; NaN where no positive or no retrievable negative pair is left.

    Example:
        Positives of scene 0 at distance 2 and of scene 1 at 1, a negative of each at 1.5:
        without scene 0 the positive is ahead of the negative, without scene 1 behind.

        >>> far, near = np.array([1.5, 1.5]), np.array([2.0, 1.0])
        >>> of = np.array([[0, 1], [0, 1]])
        >>> precision_without_each(far, near, of, of, 2).round(6).tolist()
        [1.0, 0.25]
    """
    order = np.argsort(positive, kind="stable")
    distance, of_distance = positive[order], touched_by_positive[:, order]
    retrieved = np.isfinite(distance)
    # A negative is ahead of the positives from this place on (ties count against them).
    finite = np.isfinite(negative)
    place = np.searchsorted(distance, negative[finite], side="left")
    before = _ahead(place, len(distance))
    rows_of = _rows_by_scene(touched_by_negative[:, finite], scenes)
    result = np.full(scenes, np.nan)
    for scene, rows in enumerate(rows_of):
        kept = ~(of_distance == scene).any(axis=0)
        if len(rows) == len(place) or not kept.any():
            continue
        ahead = (before - _ahead(place[rows], len(distance)))[kept]
        result[scene] = average_precision_of_ranks(ahead, retrieved[kept], int(kept.sum()))
    return result


def _ahead(place: np.ndarray, positives: int) -> np.ndarray:
    """Counts the negatives ahead of each positive, int64 [m], from where each one begins to be."""
    return np.cumsum(np.bincount(place, minlength=positives)[:positives])


def _rows_by_scene(touched: np.ndarray, scenes: int) -> list[np.ndarray]:
    """Returns the columns of int [2, n] in which each scene stands, each of them once."""
    first, second = touched
    both = np.concatenate([first, second])
    rows = np.tile(np.arange(len(first)), 2)
    chosen = np.concatenate([np.ones(len(first), bool), first != second])
    order = np.argsort(both[chosen], kind="stable")
    bounds = np.searchsorted(both[chosen][order], np.arange(scenes + 1))
    return np.split(rows[chosen][order], bounds[1:-1])


def influence_values(whole: float, without: Sequence[float] | np.ndarray) -> np.ndarray:
    """Returns values per scene whose mean is `whole` and whose scatter is the jackknife's.

    Their ordinary standard error of the mean is the jackknife's standard error of `whole`.

    Args:
        whole: The statistic on all scenes.
        without: float [n], the statistic without each scene.

    Returns:
        float64 [n].

    Example:
        For a mean of per-scene values these values come back.

        >>> influence_values(2.0, [2.5, 2.0, 1.5]).tolist()
        [1.0, 2.0, 3.0]
    """
    values = np.asarray(without, np.float64)
    return whole + (len(values) - 1) * (values.mean() - values)

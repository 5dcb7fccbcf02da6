"""Chooses which nearest neighbours of a network's descriptors are taken for matches.

Two photographs share but a part of their points, so the validation patches are divided: two of
three points have their reference patches on one side, two of three a target patch on the other,
and a third is on both. All image sequences of a kind are one photograph, since more points make
the second nearest nearer. What a photograph with other points would need differs, of course.

Source: Lowe, IJCV 2004, section 7.1 (the ratio test and how its threshold was chosen).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

import numpy as np

from trainer.model.patch_identity import MatchingRule

PRECISION = 0.9  # share of right matches that the ratio test is to leave
_FAR = 0.995  # of the right ones, so many are within the largest distance
_LEAST_RIGHT = 100  # matches; fewer say nothing


def choose(descriptors: Mapping[str, np.ndarray]) -> MatchingRule:
    """Returns the rule by which nine of ten validation matches are right.

    Args:
        descriptors: float32 [16, n, D] by the names of image sequences, whose first letter is
            their kind.

    Returns:
        The largest ratio that does; 1 if all may stay. And the distance that hardly any
        right match exceeds. Both None where there are too few matches to tell.
    """
    if not all(np.isfinite(part).all() for part in descriptors.values()):
        return MatchingRule()
    by_kind = groupby(sorted(descriptors), key=lambda name: name[0])
    pooled = [np.concatenate([descriptors[name] for name in names], axis=1) for _, names in by_kind]
    pairs = [_matches(part[0], variant) for part in pooled for variant in part[1:]]
    ratios, distances, right = (np.concatenate(values) for values in zip(*pairs, strict=True))
    order = np.argsort(ratios, kind="stable")
    precise = np.flatnonzero(np.cumsum(right[order]) >= PRECISION * np.arange(1, len(order) + 1))
    taken = order[: precise[-1] + 1] if len(precise) else order[:0]
    good = distances[taken][right[taken]]
    if len(good) < _LEAST_RIGHT:
        return MatchingRule()
    ratio = 1.0 if len(taken) == len(order) else float(ratios[taken[-1]])
    far = float(np.quantile(good, _FAR))
    return MatchingRule(ratio=max(round(ratio, 3), 1e-3), max_distance=max(round(far, 3), 1e-3))


def _matches(reference: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, ...]:
    """Matches points of a third to two thirds on either side.

    Args:
        reference: float32 [n, D]; row i is point i in both.
        target: float32 [n, D].

    Returns:
        float64 [M], float64 [M], bool [M] of the mutual nearest neighbours: the larger of both
        ratios to the second nearest, the distance, and whether it is right.
    """
    third = np.arange(len(reference)) % 3
    first, second = np.flatnonzero(third != 2), np.flatnonzero(third != 0)
    if min(len(first), len(second)) < 2:
        return np.empty(0), np.empty(0), np.empty(0, bool)
    a, b = reference[first].astype(np.float64), target[second].astype(np.float64)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    distance = np.sqrt(np.maximum(squares, 0))
    nearest, back = distance.argmin(1), distance.argmin(0)
    rows = np.flatnonzero(back[nearest] == np.arange(len(a)))
    columns = nearest[rows]
    nearest_distance = distance[rows, columns]
    rivals = (
        np.partition(distance, 1, axis=1)[rows, 1],
        np.partition(distance, 1, axis=0)[1, columns],
    )
    rival = np.minimum(*rivals)
    ratio = np.divide(nearest_distance, rival, out=np.ones_like(nearest_distance), where=rival > 0)
    return ratio, nearest_distance, first[rows] == second[columns]

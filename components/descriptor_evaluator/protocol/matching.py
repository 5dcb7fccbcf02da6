"""The matching task: nearest neighbour of every reference patch in a target image.

Source: HPatches, section 5 (image matching), scored as in the Python evaluator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from components.core.names import MATCHING
from components.descriptor_evaluator.protocol import distances
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.metrics import metrics_of
from components.descriptor_evaluator.protocol.scores import TIE_SAFE, UnitScore
from components.descriptor_evaluator.protocol.task_tables import Tasks
from trainer.core.average_precision import Ties, average_precision
from trainer.core.variants import NOISES, TARGETS, variant_index

_ROWS = 1024  # reference descriptors per block: bounds memory, and the block fits the cache


@dataclass(frozen=True)
class Neighbours:
    """Nearest neighbours of n descriptors.

    Attributes:
        index: int64 [n], the first nearest row.
        distance: float64 [n]; NaN or infinite where descriptors are not finite.
        tied: bool [n], whether another row is exactly as near.
    """

    index: np.ndarray
    distance: np.ndarray
    tied: np.ndarray


def match_sequence(
    descriptors: np.ndarray, distance: Distance = "l2"
) -> Iterator[tuple[str, int, dict[str, float]]]:
    """Scores the 15 image pairs of an image sequence.

    Args:
        descriptors: float32 [16, N, D], variants in the order of `trainer.core.variants`.
        distance: Distance metric.

    Yields:
        (noise, target, metrics) with `ap` and `success_rate`, each also as tie-safe; the
        precisions are NaN when no distance is finite.
    """
    flat = descriptors.reshape(-1, descriptors.shape[-1])
    finite = distances.finite_rows(descriptors)
    code = distances.Code.around(flat if finite.all() else flat[finite.ravel()])
    by_products = distance == "l2" and finite[0].all()
    reference = code.encode(descriptors[0]) if by_products else None
    for noise in NOISES:
        for target in range(1, TARGETS + 1):
            variant = variant_index(noise, target)
            if reference is not None and finite[variant].all():
                neighbours = _nearest(
                    descriptors[0],
                    descriptors[variant],
                    reference,
                    code.encode(descriptors[variant]),
                )
            else:
                neighbours = _nearest_exactly(descriptors[0], descriptors[variant], distance)
            yield noise, target, score_neighbours(neighbours)


def nearest_neighbours(
    reference: np.ndarray, target: np.ndarray, distance: Distance = "l2"
) -> Neighbours:
    """Finds the first nearest row of `target` for every row of `reference`.

    Args:
        reference: [n, D] descriptors.
        target: [m, D] descriptors, m >= 1.
        distance: Distance metric.

    Returns:
        What `argmin` over SciPy's distance matrix gives, ties and NaN included.
    """
    finite = distances.finite_rows(reference).all() and distances.finite_rows(target).all()
    if distance != "l2" or not finite:
        return _nearest_exactly(reference, target, distance)
    code = distances.Code.around(np.concatenate([reference, target]))
    return _nearest(reference, target, code.encode(reference), code.encode(target))


def score_neighbours(neighbours: Neighbours) -> dict[str, float]:
    """Scores the matches of one image pair; the right match of row i is row i.

    Tie-safe: a match counts as right only when its distance is finite and no other row is as
    near, and right matches rank behind wrong ones of the same distance.
    """
    right = neighbours.index == np.arange(len(neighbours.index))
    sure = right & ~neighbours.tied & np.isfinite(neighbours.distance)
    ways: tuple[tuple[str, np.ndarray, Ties], ...] = (
        ("", right, "order"),
        (TIE_SAFE, sure, "against"),
    )
    return {
        f"{name}{suffix}": metric(neighbours.distance, labels, ties)
        for suffix, labels, ties in ways
        for name, metric in metrics_of(MATCHING).items()
    }


def match_precision(distance: np.ndarray, right: np.ndarray, ties: Ties) -> float:
    """Average precision of the matches of an image pair; NaN when no distance is finite."""
    if not np.isfinite(distance).any():
        return float("nan")
    return average_precision(-distance, right, len(right), ties)


def success_rate(distance: np.ndarray, right: np.ndarray, ties: Ties) -> float:
    """Fraction of right matches."""
    del distance, ties
    return float(right.mean())


def groups(tasks: Tasks) -> tuple[str, ...]:
    """Returns the image sequences, each of which is scored on its own."""
    return tasks.names


def score_group(
    group: str, descriptors: Mapping[str, np.ndarray], tasks: Tasks, distance: Distance = "l2"
) -> list[UnitScore]:
    """Scores the image pairs of an image sequence.

    Args:
        group: The image sequence.
        descriptors: float32 [16, N, D] of (at least) this image sequence.
        tasks: Image sequences with their scenes and kinds.
        distance: Distance metric.

    Returns:
        One score per noise level and target image.
    """
    number = tasks.names.index(group)
    scene, kind = tasks.scenes[number], tasks.kinds[number]
    return [
        UnitScore(MATCHING, noise, kind, group, scene, str(target), metrics)
        for noise, target, metrics in match_sequence(descriptors[group], distance)
    ]


def mean_average_precision(
    collection: Mapping[str, np.ndarray], metric: str = "ap"
) -> dict[str, float]:
    """Returns the flat mean over image pairs per noise level, and their `mean`, by L2.

    Args:
        collection: float32 [16, N, D] per image sequence, at least one.
        metric: One of those that `match_sequence` yields.
    """
    values: dict[str, list[float]] = {noise: [] for noise in NOISES}
    for descriptors in collection.values():
        for noise, _, metrics in match_sequence(descriptors, "l2"):
            values[noise].append(metrics[metric])
    means = {noise: float(np.mean(values[noise])) for noise in NOISES}
    return means | {"mean": float(np.mean(list(means.values())))}


def _nearest_exactly(reference: np.ndarray, target: np.ndarray, distance: Distance) -> Neighbours:
    parts = []
    for start in range(0, len(reference), _ROWS):
        matrix = distances.exact_matrix(reference[start : start + _ROWS], target, distance)
        index = matrix.argmin(axis=1)
        nearest = matrix[np.arange(len(matrix)), index]
        parts.append((index, nearest, (matrix == nearest[:, None]).sum(axis=1) > 1))
    return Neighbours(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _nearest(
    reference: np.ndarray,
    target: np.ndarray,
    left: distances.Encoded,
    right: distances.Encoded,
) -> Neighbours:
    """Proposes by matrix products; rows with several candidates are decided exactly."""
    factor, other = left.as_left(), right.as_right().T
    band = (2.0 * distances.tolerance(left, right)).astype(np.float32)
    index = np.empty(len(reference), np.int64)
    tied = np.zeros(len(reference), bool)
    for start in range(0, len(reference), _ROWS):
        product = factor[start : start + _ROWS] @ other
        rows = np.arange(len(product))
        best = product.argmin(axis=1)
        limit = np.nextafter(product[rows, best] + band[start : start + _ROWS], np.float32(np.inf))
        index[start : start + _ROWS] = best
        product[rows, best] = np.inf
        close = product.min(axis=1) <= limit
        tied[start + rows] = close  # true where the band is 0 (all is one point); others follow
        unsure = np.flatnonzero(close & (band[start + rows] > 0))
        if len(unsure):
            product[unsure, best[unsure]] = -np.inf
            chosen, several = _decide(
                reference[start + unsure], target, product[unsure] <= limit[unsure, None]
            )
            index[start + unsure], tied[start + unsure] = chosen, several
    return Neighbours(index, distances.exact_pairs(reference, target[index]), tied)


def _decide(
    reference: np.ndarray, target: np.ndarray, candidates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first nearest candidate of each row, and whether another is as near.

    Args:
        reference: [n, D].
        target: [m, D].
        candidates: bool [n, m], at least one per row.
    """
    if candidates.mean() > 0.1:  # then the whole matrix costs less than gathering pairs
        exact = distances.exact_matrix(reference, target)
        index = exact.argmin(axis=1)
        return index, (exact == exact.min(axis=1, keepdims=True)).sum(axis=1) > 1
    row, column = np.nonzero(candidates)
    distance = distances.exact_pairs(reference[row], target[column])
    starts = np.searchsorted(row, np.arange(len(reference)))
    nearest = np.minimum.reduceat(distance, starts)
    hit = np.flatnonzero(distance == nearest[row])
    _, first, several = np.unique(row[hit], return_index=True, return_counts=True)
    return column[hit[first]], several > 1

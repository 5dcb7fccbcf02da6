"""Curves and histograms that a report shows, small enough to keep with the scores.

Every curve follows from the same ranks as the task's average precision, with ties counted
against the descriptors: the mean of a precision curve is that average precision.

Descriptors are float32 [16, N, D] by image sequence throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from components.core.names import PAIR_SETS
from components.descriptor_evaluator.protocol import distances, matching, verification
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.task_tables import Pairs, Points, Tasks
from components.descriptor_evaluator.protocol.verification import first_fifth
from trainer.core.average_precision import precision_steps
from trainer.core.variants import NOISES, TARGETS, variant_index

RECALL = (np.arange(100) + 0.5) / 100  # where precision is given
FALSE_RATE = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 81)])  # where ROC curves are given
_PAIRS = 100_000  # of each table of verification
_REFERENCES = 300  # reference patches per image sequence
_QUERIES = 300
_BLOCK = 64  # queries whose distances to all distractors are held at once
_BINS = 60


def precision_at_recall(
    before: np.ndarray, retrieved: np.ndarray, positives: int, recall: np.ndarray = RECALL
) -> np.ndarray:
    """Returns precision as a function of recall, float64 [..., G].

    Between two positives the curve is the straight line whose area `average_precision`
    sums, and beyond the last retrieved positive it is 0.

    Args:
        before: int [..., m], for each positive the number of negatives ranked before it.
        retrieved: bool [..., m], false for positives that are never retrieved.
        positives: Number of positives that exist, at least m.
        recall: float64 [G] within (0, 1).

    Example:
        >>> before, retrieved = np.array([0, 1]), np.ones(2, bool)
        >>> precision_at_recall(before, retrieved, 2, np.array([0.25, 0.75])).round(3).tolist()
        [1.0, 0.583]
    """
    entering, leaving, counted = precision_steps(before, retrieved)
    place = np.floor(recall * positives).astype(np.int64)
    known = np.minimum(place, counted.shape[-1] - 1)
    share = recall * positives - place
    value = entering[..., known] + share * (leaving[..., known] - entering[..., known])
    return np.where(counted[..., known] & (place < counted.shape[-1]), value, 0.0)


def verification_curves(
    descriptors: Mapping[str, np.ndarray], tasks: Tasks, distance: Distance = "l2"
) -> dict[str, Any]:
    """Returns ROC, precision and histograms of the pair distances.

    Of long tables evenly spaced pairs are taken, 100,000 at most; without positive ones there
    are no curves.

    Returns:
        Per pair set and noise level `true_rate` (at `FALSE_RATE`, all positives),
        `precision` (at `RECALL`, one positive for five negatives), and of the finite
        distances `edges` of bins and the shares of `positive` and `negative` pairs in them.
    """
    if tasks.positives is None:
        return {}
    positives = _thinned(tasks.positives)
    result: dict[str, Any] = {}
    for name in PAIR_SETS:
        if getattr(tasks, name) is None:
            continue
        negatives = _thinned(getattr(tasks, name))
        result[name] = {}
        for noise in NOISES:
            negative, positive = (
                verification.pair_distances(descriptors, tasks.names, pairs, noise, distance)
                for pairs in (negatives, positives)
            )
            result[name][noise] = _roc_and_precision(negative, positive) | _histograms(
                negative, positive
            )
    return result


def matching_curves(
    descriptors: Mapping[str, np.ndarray], distance: Distance = "l2"
) -> dict[str, list[float]]:
    """Returns mean precision over image pairs, at `RECALL`, per noise level.

    Of long image sequences 300 evenly spaced reference patches are matched.

    Returns:
        100 numbers per noise level; nothing without image sequences.
    """
    curves: dict[str, list[np.ndarray]] = {noise: [] for noise in NOISES}
    for values in descriptors.values():
        rows = reference_rows(values.shape[1])
        for noise in NOISES:
            for target in range(1, TARGETS + 1):
                neighbours = matching.nearest_neighbours(
                    values[0, rows], values[variant_index(noise, target)], distance
                )
                curves[noise].append(_precision_of_matches(neighbours, rows))
    return {noise: rounded(np.mean(curves[noise], axis=0)) for noise in NOISES if curves[noise]}


def retrieval_curves(
    descriptors: Mapping[str, np.ndarray], tasks: Tasks, distance: Distance = "l2"
) -> dict[str, Any]:
    """Returns mean precision over queries, at `RECALL`, in the largest pool.

    Of long tables 300 evenly spaced queries are taken.

    Returns:
        `pool` (its size) and a curve of 100 numbers per noise level; nothing without queries.
    """
    if tasks.queries is None or tasks.distractors is None or not tasks.pool_sizes:
        return {}
    places = spread(len(tasks.queries), _QUERIES)
    curves = np.zeros((len(NOISES), len(RECALL)))
    for start in range(0, len(places), _BLOCK):
        block = places[start : start + _BLOCK]
        positive, others = query_distances(descriptors, tasks, block, distance)
        before = (others[:, None, :] <= positive[:, :, None]).sum(axis=-1)
        shape = (len(block), len(NOISES), TARGETS)
        precision = precision_at_recall(
            before.reshape(shape), np.isfinite(positive).reshape(shape), TARGETS
        )
        curves += precision.sum(axis=0)
    curves /= max(len(places), 1)
    means = {noise: rounded(curves[level]) for level, noise in enumerate(NOISES)}
    return {"pool": tasks.pool_sizes[-1], **means}


def query_distances(
    descriptors: Mapping[str, np.ndarray],
    tasks: Tasks,
    places: np.ndarray,
    distance: Distance = "l2",
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distances of some queries to their positives and to the largest pool.

    Args:
        descriptors: float32 [16, N, D] per image sequence.
        tasks: Queries and distractors.
        places: int [Q], places in the table of queries; at least one.
        distance: Distance metric.

    Returns:
        float64 [Q, 15] (by noise level and target) and float64 [Q, M] in the order of the
        distractors; infinite for those that are not in the query's pool, NaN where
        descriptors are not finite.
    """
    assert tasks.queries is not None and tasks.distractors is not None
    views = tasks.gather_views(descriptors, tasks.queries, places)
    with np.errstate(invalid="ignore", over="ignore"):
        positive = np.stack(
            [
                distances.exact_pairs(views[:, 0], views[:, variant], distance)
                for variant in range(1, views.shape[1])
            ],
            axis=1,
        )
        others = distances.exact_matrix(
            views[:, 0], tasks.gather_references(descriptors, tasks.distractors), distance
        )
    others[~_in_pool(tasks, tasks.queries, tasks.distractors, places)] = np.inf
    return positive, others


def reference_rows(count: int) -> np.ndarray:
    """Returns which reference patches of an image sequence are matched, int64 [<= 300]."""
    return spread(count, _REFERENCES)


def spread(count: int, most: int) -> np.ndarray:
    """Returns at most `most` evenly spaced numbers out of 0..count-1, int64 [m].

    Example:
        >>> spread(10, 4).tolist()
        [0, 3, 6, 9]
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def rounded(values: np.ndarray, digits: int = 4) -> list[float]:
    """Returns numbers for JSON; a picture shows no more digits."""
    return np.round(np.asarray(values, np.float64), digits).tolist()


def _in_pool(tasks: Tasks, queries: Points, distractors: Points, places: np.ndarray) -> np.ndarray:
    """Tells which distractors stand in the largest pool of each query, bool [Q, M]."""
    group = tasks.group_numbers
    other = group[distractors.sequence] != group[queries.sequence[places]][:, None]
    return other & (np.cumsum(other, axis=1) <= tasks.pool_sizes[-1] - TARGETS)


def _thinned(pairs: Pairs) -> Pairs:
    rows = spread(len(pairs), _PAIRS)
    return Pairs(**{field.name: getattr(pairs, field.name)[rows] for field in fields(Pairs)})


def _roc_and_precision(negative: np.ndarray, positive: np.ndarray) -> dict[str, list[float]]:
    ranked = np.sort(negative[np.isfinite(negative)])
    retrieved = np.isfinite(positive)
    before = np.searchsorted(ranked, positive, side="right")
    # True rate where so many negatives have been let through: the positives ahead of the next.
    allowed = np.floor(FALSE_RATE * len(negative))
    ahead = np.searchsorted(np.sort(before[retrieved]), allowed, side="right")
    fifth = max(1, first_fifth(len(positive)))
    precision = precision_at_recall(before[:fifth], retrieved[:fifth], fifth)
    return {
        "true_rate": rounded(ahead / max(len(positive), 1)),
        "precision": rounded(precision),
    }


def _histograms(negative: np.ndarray, positive: np.ndarray) -> dict[str, list[float]]:
    both = np.concatenate([negative, positive])
    both = both[np.isfinite(both)]
    if not len(both):
        return {"edges": [], "positive": [], "negative": []}
    top = float(both.max()) or 1.0
    edges = np.linspace(0.0, top, _BINS + 1)
    shares = {
        name: rounded(np.histogram(values, edges)[0] / max(len(values), 1), 5)
        for name, values in (("positive", positive), ("negative", negative))
    }
    return {"edges": [float(f"{edge:.5g}") for edge in edges], **shares}


def _precision_of_matches(neighbours: matching.Neighbours, rows: np.ndarray) -> np.ndarray:
    right = (neighbours.index == rows) & ~neighbours.tied
    retrieved = np.isfinite(neighbours.distance)
    wrong = np.sort(neighbours.distance[~right & retrieved])
    before = np.searchsorted(wrong, neighbours.distance[right], side="right")
    padded = np.zeros(len(rows), np.int64)
    padded[: len(before)] = before
    counted = np.zeros(len(rows), bool)
    counted[: len(before)] = retrieved[right]
    return precision_at_recall(padded, counted, len(rows))

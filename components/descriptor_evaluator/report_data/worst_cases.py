"""What went wrong most: false matches and retrieval rows, as indices of patches.

Descriptors are float32 [16, N, D] by image sequence throughout.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from components.core.names import RETRIEVAL
from components.descriptor_evaluator.protocol import distances, matching
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.scores import SAFE_METRIC, UnitScore
from components.descriptor_evaluator.protocol.tasks import Tasks
from components.descriptor_evaluator.report_data.curves import query_distances, reference_rows
from trainer.core.variants import NOISES, TARGETS, VARIANTS, variant_index

_FALSE_MATCHES = 6  # per noise level
_PER_PAIR = 4  # considered of each image pair
_PER_SEQUENCE = 2  # shown of one image sequence: one bad scene would fill the list
_RETRIEVAL_ROWS = 3  # per noise level
_RETRIEVED = 6  # first entries of a pool that are shown


def false_matches(
    descriptors: Mapping[str, np.ndarray], distance: Distance = "l2"
) -> list[dict[str, Any]]:
    """Returns the wrong matches that were most sure of themselves, per noise level.

    Those of the smallest distance: in the ranking that average precision judges they stand
    ahead of right ones. A reference patch is taken once, an image sequence at most twice
    per noise level. Of long image sequences 300 evenly spaced reference patches are matched.

    Returns:
        The worst first, each as `noise`, `sequence`, `target` (1..5), `reference` (index
        of the point), `wrong` (index of the point it was matched to), and the distances to
        both, `distance` and `right_distance`.
    """
    candidates: dict[str, list[dict[str, Any]]] = {noise: [] for noise in NOISES}
    for name in sorted(descriptors):
        for match in _wrong_of_sequence(name, descriptors[name], distance):
            candidates[match["noise"]].append(match)
    return [item for noise in NOISES for item in _worst(candidates[noise])]


def retrieval_rows(
    descriptors: Mapping[str, np.ndarray],
    tasks: Tasks,
    rows: Sequence[UnitScore],
    distance: Distance = "l2",
) -> list[dict[str, Any]]:
    """Returns the queries with the least (tie-safe) precision, per noise level.

    An image sequence is taken at most twice per noise level.

    Returns:
        The worst first, each as `noise`, `sequence`, `index`, `ap`, `ranks` (of the five
        right patches, by target, in the largest pool; None when never retrieved) and
        `first`: the first entries of the ranked pool as `sequence`, `index`, `variant`,
        `right` and `distance`.
    """
    if tasks.queries is None or tasks.distractors is None or not tasks.pool_sizes:
        return []
    numbers = zip(tasks.queries.sequence.tolist(), tasks.queries.index.tolist(), strict=True)
    places = {(tasks.names[s], str(i)): place for place, (s, i) in enumerate(numbers)}
    chosen = [row for noise in NOISES for row in _worst_rows(rows, noise)]
    chosen = [row for row in chosen if (row.sequence, row.unit) in places]
    if not chosen:
        return []
    asked = np.array([places[row.sequence, row.unit] for row in chosen])
    positive, others = query_distances(descriptors, tasks, asked, distance)
    return [
        _retrieved(row, tasks, positive[number], others[number])
        for number, row in enumerate(chosen)
    ]


def _wrong_of_sequence(
    name: str, values: np.ndarray, distance: Distance
) -> Iterator[dict[str, Any]]:
    rows = reference_rows(values.shape[1])
    for noise in NOISES:
        for target in range(1, TARGETS + 1):
            views = values[variant_index(noise, target)]
            neighbours = matching.nearest_neighbours(values[0, rows], views, distance)
            wrong = np.flatnonzero((neighbours.index != rows) & np.isfinite(neighbours.distance))
            wrong = wrong[np.argsort(neighbours.distance[wrong], kind="stable")][:_PER_PAIR]
            right = distances.exact_pairs(values[0, rows[wrong]], views[rows[wrong]], distance)
            for place, true_distance in zip(wrong.tolist(), right.tolist(), strict=True):
                yield {
                    "noise": noise,
                    "sequence": name,
                    "target": target,
                    "reference": int(rows[place]),
                    "wrong": int(neighbours.index[place]),
                    "distance": _number(neighbours.distance[place]),
                    "right_distance": _number(true_distance),
                }


def _worst(matches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    chosen: list[dict[str, Any]] = []
    for item in sorted(matches, key=lambda item: item["distance"]):
        taken = [other["reference"] for other in chosen if other["sequence"] == item["sequence"]]
        if len(taken) < _PER_SEQUENCE and item["reference"] not in taken:
            chosen.append(item)
        if len(chosen) == _FALSE_MATCHES:
            break
    return chosen


def _worst_rows(rows: Sequence[UnitScore], noise: str) -> list[UnitScore]:
    candidates = [
        row
        for row in rows
        if (row.task, row.noise) == (RETRIEVAL, noise) and np.isfinite(row.metrics[SAFE_METRIC])
    ]
    chosen: list[UnitScore] = []
    counts: dict[str, int] = {}
    # More than are shown, as one image sequence may hold many of the worst.
    for row in heapq.nsmallest(1000, candidates, key=lambda row: row.metrics[SAFE_METRIC]):
        if counts.get(row.sequence, 0) < _PER_SEQUENCE:
            counts[row.sequence] = counts.get(row.sequence, 0) + 1
            chosen.append(row)
    return chosen[:_RETRIEVAL_ROWS]


def _retrieved(
    row: UnitScore, tasks: Tasks, positive: np.ndarray, distance: np.ndarray
) -> dict[str, Any]:
    assert tasks.distractors is not None
    level = NOISES.index(row.noise)
    right = positive[level * TARGETS : (level + 1) * TARGETS]
    # Distractors first, so that ties count against the descriptors.
    pool = np.concatenate([distance, right])
    order = np.argsort(pool, kind="stable")
    order = order[np.isfinite(pool[order])]
    rank_of = {int(place): rank + 1 for rank, place in enumerate(order)}
    first = []
    for place in order[:_RETRIEVED].tolist():
        target = place - len(distance) + 1
        if target > 0:
            entry = {"sequence": row.sequence, "index": int(row.unit), "right": True}
            entry["variant"] = VARIANTS[variant_index(row.noise, target)]
        else:
            number = int(tasks.distractors.sequence[place])
            entry = {
                "sequence": tasks.names[number],
                "index": int(tasks.distractors.index[place]),
                "right": False,
                "variant": VARIANTS[0],
            }
        first.append(entry | {"distance": _number(pool[place])})
    return {
        "noise": row.noise,
        "sequence": row.sequence,
        "index": int(row.unit),
        "ap": _number(row.metrics[SAFE_METRIC]),
        "ranks": [rank_of.get(len(distance) + target) for target in range(TARGETS)],
        "first": first,
    }


def _number(value: float) -> float | None:
    """Returns a number for JSON, which knows neither NaN nor infinity."""
    return float(f"{value:.5g}") if np.isfinite(value) else None

"""The verification task: whether two patches show the same point.

Positive pairs are set against negative pairs within a sequence (intra) and between
sequences (inter). Rows are ranked with the negatives first, so equal distances count
against the descriptors in the reference too: its values and the tie-safe ones are equal.

Source: HPatches, section 5 (patch verification), scored as in the Python evaluator. The
reference stops at descriptors that are not finite; here their pairs are never retrieved, as
in the other two tasks.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from components.descriptor_evaluator.protocol import distances
from components.descriptor_evaluator.protocol.average_precision import (
    average_precision_of_ranks,
    roc_area_of_ranks,
)
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.jackknife import precision_without_each
from components.descriptor_evaluator.protocol.scores import TIE_SAFE, UnitScore
from components.descriptor_evaluator.protocol.tasks import Pairs, Tasks
from trainer.core import progress
from trainer.core.variants import NOISES, TARGETS

TASK = "verification"
NEGATIVES = ("inter", "intra")  # sets of negative pairs, in the order of the rows
_BLOCK = 4096  # pairs per step: both sides stay in the cache


def pair_distances(
    descriptors: Mapping[str, np.ndarray],
    names: tuple[str, ...],
    pairs: Pairs,
    distance: Distance = "l2",
) -> np.ndarray:
    """Returns the distances of pairs, float32 [3, n], one row per noise level.

    Args:
        descriptors: float32 [16, N, D] per image sequence.
        names: Image sequences that the pairs' numbers mean.
        pairs: Pairs of patches; image 0 is the reference at every noise level.
        distance: Which one.
    """
    result = np.empty((len(NOISES), len(pairs)), np.float32)
    both = pairs.sequence1.astype(np.int64) * len(names) + pairs.sequence2
    order = np.argsort(both, kind="stable")
    bounds = np.flatnonzero(np.diff(both[order], prepend=-1, append=-1))

    def fill(group: tuple[int, int]) -> None:
        start, stop = group
        first, second = (int(number) for number in divmod(both[order[start]], len(names)))
        left, right = descriptors[names[first]], descriptors[names[second]]
        for begin in range(start, stop, _BLOCK):
            rows = order[begin : min(begin + _BLOCK, stop)]
            _fill(result, rows, left, right, pairs, distance)

    # Gathering waits for memory and NumPy lets other threads run meanwhile.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(fill, itertools.pairwise(bounds)))
    return result


def score_distances(negative: np.ndarray, positive: np.ndarray) -> dict[str, float]:
    """Scores one pair set at one noise level.

    Args:
        negative: float32 [n] distances of negative pairs.
        positive: float32 [n] distances of positive pairs, in file order.

    Returns:
        `auc` of all rows (balanced) and `ap` of the negatives with the first int(0.2 n)
        positives (imbalanced), each also as tie-safe; NaN when no distance is finite.

    Example:
        >>> near, far = np.full(5, 0.1, np.float32), np.full(5, 0.9, np.float32)
        >>> score_distances(negative=far, positive=near)["auc"]
        1.0
    """
    ranked = np.sort(negative[np.isfinite(negative)])
    retrieved = np.isfinite(positive)
    before = np.searchsorted(ranked, positive, side="right")
    metrics = dict.fromkeys(("auc", "ap"), float("nan"))
    if len(ranked) or retrieved.any():
        metrics["auc"] = roc_area_of_ranks(
            before, retrieved, len(positive), len(negative), len(ranked)
        )
    fifth = _fifth(positive)
    if len(ranked) or retrieved[:fifth].any():
        metrics["ap"] = float(
            average_precision_of_ranks(before[:fifth], retrieved[:fifth], max(fifth, 1))
        )
    return metrics | {f"{name}{TIE_SAFE}": value for name, value in metrics.items()}


def score(
    descriptors: Mapping[str, np.ndarray], tasks: Tasks, distance: Distance = "l2"
) -> list[UnitScore]:
    """Scores the task; one row per pair set and noise level.

    Each row also says what the (imbalanced) precision is `without` each source, from which
    intervals are made.

    Args:
        descriptors: float32 [16, N, D] per image sequence.
        tasks: Pairs; a set without pairs gives no rows.
        distance: What pairs are near by.
    """
    if tasks.positives is None:
        return []
    sets = [name for name in NEGATIVES if getattr(tasks, name) is not None]
    positive = pair_distances(descriptors, tasks.names, tasks.positives, distance)
    progress.report("scoring verification", 1, 1 + len(sets))
    rows: list[UnitScore] = []
    for number, name in enumerate(sets, start=1):
        negative = pair_distances(descriptors, tasks.names, getattr(tasks, name), distance)
        rows += rows_of_pair_set(name, negative, positive, tasks)
        progress.report("scoring verification", 1 + number, 1 + len(sets))
    return rows


def rows_of_pair_set(
    name: str, negative: np.ndarray, positive: np.ndarray, tasks: Tasks
) -> list[UnitScore]:
    """Scores a set of negative pairs against the positive ones; one row per noise level.

    Args:
        name: `inter` or `intra`.
        negative: float32 [3, n] distances of `tasks`' pairs of that name.
        positive: float32 [3, n] distances of the positive pairs.
        tasks: Pairs and the sources of their sequences.
    """
    assert tasks.positives is not None
    sources, of_sequence = np.unique(np.array(tasks.sources), return_inverse=True)
    fifth = _fifth(positive[0])
    touched_by_positive = _touched(tasks.positives, of_sequence)[:, :fifth]
    touched_by_negative = _touched(getattr(tasks, name), of_sequence)
    rows: list[UnitScore] = []
    for level, noise in enumerate(NOISES):
        metrics = score_distances(negative[level], positive[level])
        values = precision_without_each(
            negative[level],
            positive[level, :fifth],
            touched_by_negative,
            touched_by_positive,
            len(sources),
        )
        without = dict(zip(sources.tolist(), values.tolist(), strict=True))
        rows.append(UnitScore(TASK, noise, "u", "", "", name, metrics, without))
    return rows


def _fifth(positive: np.ndarray) -> int:
    """Returns how many of the positives the imbalanced setting takes."""
    return int(0.2 * len(positive))


def _touched(pairs: Pairs, of_sequence: np.ndarray) -> np.ndarray:
    """Returns the numbers of the sources of both patches of each pair, int [2, n]."""
    return np.stack([of_sequence[pairs.sequence1], of_sequence[pairs.sequence2]])


def _fill(
    result: np.ndarray,
    rows: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    pairs: Pairs,
    distance: Distance,
) -> None:
    """Computes the distances of some pairs between two image sequences."""
    flat_left, flat_right = (side.reshape(-1, side.shape[-1]) for side in (left, right))
    for level in range(len(NOISES)):
        places = []
        for side, image, index in (
            (left, pairs.image1[rows], pairs.index1[rows]),
            (right, pairs.image2[rows], pairs.index2[rows]),
        ):
            variant = np.where(image == 0, 0, image.astype(np.int64) + level * TARGETS)
            places.append(variant * side.shape[1] + index)
        result[level, rows] = distances.verification_pairs(
            flat_left[places[0]], flat_right[places[1]], distance
        )

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
from dataclasses import dataclass

import numpy as np

from components.core.names import PAIR_SETS, VERIFICATION
from components.descriptor_evaluator.protocol import distances
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.jackknife import precision_without_each
from components.descriptor_evaluator.protocol.metrics import metrics_of
from components.descriptor_evaluator.protocol.scores import TIE_SAFE, UnitScore
from components.descriptor_evaluator.protocol.task_tables import Pairs, Tasks
from trainer.core.average_precision import average_precision_of_ranks, roc_area_of_ranks
from trainer.core.variants import NOISES, TARGETS, UNSPECIFIED

_BLOCK = 4096  # pairs per step: both sides stay in the cache


@dataclass(frozen=True)
class PairRanking:
    """Positive pairs among the negative ones, by rising distance.

    Attributes:
        before: int [n], for each positive (in file order) the negatives at most as far.
        retrieved: bool [n], whether its distance is finite.
        negatives: Number of negatives.
        ranked: Number of negatives whose distance is finite.
    """

    before: np.ndarray
    retrieved: np.ndarray
    negatives: int
    ranked: int


def pair_distances(
    descriptors: Mapping[str, np.ndarray],
    names: tuple[str, ...],
    pairs: Pairs,
    noise: str,
    distance: Distance = "l2",
) -> np.ndarray:
    """Computes the distances of pairs at a noise level, float32 [n].

    Args:
        descriptors: float32 [16, N, D] per image sequence.
        names: Image sequences that the pairs' numbers stand for.
        pairs: n pairs of patches; image 0 is the reference at every noise level.
        noise: `e`, `h` or `t`.
        distance: Distance metric.
    """
    result = np.empty(len(pairs), np.float32)
    both = pairs.sequence1.astype(np.int64) * len(names) + pairs.sequence2
    order = np.argsort(both, kind="stable")
    bounds = np.flatnonzero(np.diff(both[order], prepend=-1, append=-1))
    shift = NOISES.index(noise) * TARGETS

    def places(image: np.ndarray, index: np.ndarray, points: int) -> np.ndarray:
        """Returns rows of descriptors reshaped to [16 x points, D]."""
        return np.where(image == 0, 0, image.astype(np.int64) + shift) * points + index

    def fill(group: tuple[int, int]) -> None:
        start, stop = group
        numbers = divmod(int(both[order[start]]), len(names))
        left, right = (descriptors[names[number]] for number in numbers)
        flat_left, flat_right = (side.reshape(-1, side.shape[-1]) for side in (left, right))
        for begin in range(start, stop, _BLOCK):
            rows = order[begin : min(begin + _BLOCK, stop)]
            first = places(pairs.image1[rows], pairs.index1[rows], left.shape[1])
            second = places(pairs.image2[rows], pairs.index2[rows], right.shape[1])
            result[rows] = distances.verification_pairs(
                flat_left[first], flat_right[second], distance
            )

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
        Every metric of verification, by default `auc` of all pairs (balanced) and `ap` of the
        negatives with the first int(0.2 n) positives (imbalanced), each also as tie-safe; NaN
        when no distance is finite.

    Example:
        >>> near, far = np.full(5, 0.1, np.float32), np.full(5, 0.9, np.float32)
        >>> score_distances(negative=far, positive=near)["auc"]
        1.0
    """
    ranked = np.sort(negative[np.isfinite(negative)])
    before = np.searchsorted(ranked, positive, side="right")
    ranking = PairRanking(before, np.isfinite(positive), len(negative), len(ranked))
    metrics = {name: metric(ranking) for name, metric in metrics_of(VERIFICATION).items()}
    return metrics | {f"{name}{TIE_SAFE}": value for name, value in metrics.items()}


def balanced_area(ranking: PairRanking) -> float:
    """ROC area of all pairs; NaN when no distance is finite."""
    if not (ranking.ranked or ranking.retrieved.any()):
        return float("nan")
    return roc_area_of_ranks(
        ranking.before,
        ranking.retrieved,
        len(ranking.before),
        ranking.negatives,
        ranking.ranked,
    )


def imbalanced_precision(ranking: PairRanking) -> float:
    """Average precision of all negatives with the first fifth of the positives."""
    fifth = first_fifth(len(ranking.before))
    retrieved = ranking.retrieved[:fifth]
    if not (ranking.ranked or retrieved.any()):
        return float("nan")
    return float(average_precision_of_ranks(ranking.before[:fifth], retrieved, max(fifth, 1)))


def first_fifth(positives: int) -> int:
    """Number of positives, out of all, that the imbalanced setting takes."""
    return int(0.2 * positives)


def groups(tasks: Tasks) -> tuple[str, ...]:
    """Returns the noise levels, each of which is scored on its own; none without pairs."""
    return NOISES if tasks.positives is not None else ()


def score_group(
    group: str, descriptors: Mapping[str, np.ndarray], tasks: Tasks, distance: Distance = "l2"
) -> list[UnitScore]:
    """Scores the pair sets at a noise level.

    Each score also says what the (imbalanced) precision is `without` each scene, from which
    intervals are made.

    Args:
        group: The noise level.
        descriptors: float32 [16, N, D] of all image sequences.
        tasks: Pairs; a set that is None gives no score.
        distance: Distance metric.

    Returns:
        One score per pair set.
    """
    assert tasks.positives is not None
    scenes, of_sequence = np.unique(np.array(tasks.scenes), return_inverse=True)
    positive = pair_distances(descriptors, tasks.names, tasks.positives, group, distance)
    fifth = first_fifth(len(positive))
    touched_by_positive = _touched(tasks.positives, of_sequence)[:, :fifth]
    scores: list[UnitScore] = []
    for name in PAIR_SETS:
        pairs = getattr(tasks, name)
        if pairs is None:
            continue
        negative = pair_distances(descriptors, tasks.names, pairs, group, distance)
        without = precision_without_each(
            negative,
            positive[:fifth],
            _touched(pairs, of_sequence),
            touched_by_positive,
            len(scenes),
        )
        by_scene = dict(zip(scenes.tolist(), without.tolist(), strict=True))
        metrics = score_distances(negative, positive)
        scores.append(UnitScore(VERIFICATION, group, UNSPECIFIED, "", "", name, metrics, by_scene))
    return scores


def _touched(pairs: Pairs, of_sequence: np.ndarray) -> np.ndarray:
    """Returns the numbers of the scenes of both patches of each pair, int [2, n]."""
    return np.stack([of_sequence[pairs.sequence1], of_sequence[pairs.sequence2]])

"""Registry of the numbers that a unit of each task gets, by name.

A metric is a pure function of what its task ranks:

* matching: (distance float64 [n], right bool [n], ties) -> float, for the n matches of an
  image pair; `ties` as in `average_precision`;
* verification: (`PairRanking`) -> float, for a pair set at a noise level;
* retrieval: (before int [..., 5], retrieved bool [..., 5]) -> float64 [...], from the
  distractors ranked before each of a query's five positives, for many queries and pool sizes
  at once.

Each gets a second, tie-safe value for rankings in which ties count against the descriptors.
`ap` is what the gate compares by default; floors may name any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.descriptor_evaluator.protocol.average_precision import (
    Ties,
    average_precision,
    average_precision_of_ranks,
    roc_area_of_ranks,
)
from trainer.core.variants import TARGETS


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


def matching_precision(distance: np.ndarray, right: np.ndarray, ties: Ties) -> float:
    """Average precision of the matches of an image pair; NaN when no distance is finite."""
    if not np.isfinite(distance).any():
        return float("nan")
    return average_precision(-distance, right, len(right), ties)


def success_rate(distance: np.ndarray, right: np.ndarray, ties: Ties) -> float:
    """Fraction of right matches."""
    del distance, ties
    return float(right.mean())


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


def retrieval_precision(before: np.ndarray, retrieved: np.ndarray) -> np.ndarray:
    """Average precision of queries with five positives each."""
    return average_precision_of_ranks(before, retrieved, TARGETS)


def first_fifth(positives: int) -> int:
    """Number of positives, out of all, that the imbalanced setting of verification takes."""
    return int(0.2 * positives)


METRICS: dict[str, dict[str, Callable[..., Any]]] = {
    "verification": {"auc": balanced_area, "ap": imbalanced_precision},
    "matching": {"ap": matching_precision, "success_rate": success_rate},
    "retrieval": {"ap": retrieval_precision},
}

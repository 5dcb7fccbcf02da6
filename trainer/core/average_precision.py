"""Average precision and ROC area exactly as HPatches' reference evaluator computes them.

Rules (HPatches, Python evaluator): rows are put in order of descending score by a stable
sort; the precision-recall curve starts at recall 0, precision 1; areas are by the
trapezoid rule, row by row, also within ties. Ties therefore count by the order in which
rows are given: verification gives negatives first (identical descriptors have ROC area 0),
retrieval gives positives first (identical descriptors have average precision 1).

A score of -inf is never retrieved, and neither is NaN: the reference sorts NaN behind -inf
and stops at the last score above -inf. Such rows still count as positives or negatives, so
they cap recall. Without any retrieved row the reference fails, and so do these functions;
where many units are scored at once, the value of such a unit is NaN.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

# Its name in numpy 2; scipy's costs half a second of imports.
_trapezoid = getattr(np, "trapezoid" if hasattr(np, "trapezoid") else "trapz")
_SMALL = 1e-10  # the reference's guard against 0 / 0; it also makes precision 1 at the start

Ties = Literal["order", "against"]


def average_precision(
    scores: np.ndarray, labels: np.ndarray, numpos: int | None = None, ties: Ties = "order"
) -> float:
    """Area under the precision-recall curve.

    Args:
        scores: [n] scores, higher is better; NaN and -inf are never retrieved.
        labels: [n] true (or positive) for positives.
        numpos: Number of positives that exist, when more than the rows show.
        ties: `order` keeps the given order among equal scores, as the reference does;
            `against` puts negatives before positives of the same score.

    Raises:
        ValueError: When no row is retrieved, the lengths differ or `numpos` is smaller than
            the number of positive rows.

    Example:
        One positive ahead of a negative ahead of a positive: recall 0, .5, .5, 1 and
        precision 1, 1, 1/2, 2/3 give .5 * 1 + .5 * (1/2 + 2/3) / 2.

        >>> round(average_precision(np.array([3.0, 2.0, 1.0]), np.array([1, 0, 1])), 9)
        0.791666667
    """
    positive, ranked = _ranked(scores, labels, ties)
    positives = int(positive.sum())
    if numpos is not None:
        if numpos < positives:
            raise ValueError(f"numpos is {numpos}, but {positives} rows are positive")
        positives = numpos
    hits = np.concatenate([[0], np.cumsum(ranked)])
    recall = hits / max(positives, _SMALL)
    precision = np.maximum(hits, _SMALL) / np.maximum(np.arange(len(hits)), _SMALL)
    return float(_trapezoid(precision, recall))


def _ranked(scores: np.ndarray, labels: np.ndarray, ties: Ties) -> tuple[np.ndarray, np.ndarray]:
    """Returns which rows are positive [n] and which retrieved rows are, in rank order [m]."""
    scores = np.asarray(scores, np.float64).ravel()
    positive = np.asarray(labels).ravel() > 0
    if len(scores) != len(positive):
        raise ValueError(f"{len(scores)} scores for {len(positive)} labels")
    rows = np.flatnonzero(scores > -np.inf)
    if not len(rows):
        raise ValueError("no score is above -inf, so nothing is retrieved")
    if ties == "against":
        rows = np.concatenate([rows[~positive[rows]], rows[positive[rows]]])
    order = rows[np.argsort(-scores[rows], kind="stable")]
    return positive, positive[order]


def average_precision_of_ranks(
    before: np.ndarray, retrieved: np.ndarray, positives: int | np.ndarray
) -> np.ndarray:
    """Average precision of many units from the negatives ranked before each positive.

    Recall only moves at positives, so the i-th retrieved positive with b negatives before
    it adds ((i-1)/(i-1+b) + i/(i+b)) / 2 / positives; no pool needs sorting.

    Args:
        before: int [..., m], for each positive the number of negatives ranked before it.
        retrieved: bool [..., m], false for positives that are never retrieved.
        positives: Number of positives, [...] or a scalar.

    Returns:
        float64 [...]; 0 where no positive is retrieved.

    Example:
        >>> before, retrieved = np.array([[0, 1]]), np.ones((1, 2), bool)
        >>> average_precision_of_ranks(before, retrieved, 2).round(9).tolist()
        [0.791666667]
    """
    entering, leaving, counted = precision_steps(before, retrieved)
    area = np.where(counted, (entering + leaving) / 2, 0.0).sum(axis=-1)
    return area / positives


def precision_steps(
    before: np.ndarray, retrieved: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision on entering and on leaving each positive, in rank order.

    Args:
        before: int [..., m], for each positive the number of negatives ranked before it.
        retrieved: bool [..., m], false for positives that are never retrieved.

    Returns:
        float64 [..., m] twice, and bool [..., m], which of them are of retrieved positives
        (the first ones; the others hold no meaning).
    """
    order = np.sort(np.where(retrieved, before, np.iinfo(np.int64).max), axis=-1)
    counted = np.arange(order.shape[-1]) < retrieved.sum(axis=-1, keepdims=True)
    misses = np.where(counted, order, 0).astype(np.float64)
    hits = np.arange(order.shape[-1], dtype=np.float64)
    entering = np.maximum(hits, _SMALL) / np.maximum(hits + misses, _SMALL)
    leaving = (hits + 1) / (hits + 1 + misses)
    return entering, leaving, counted


def roc_area_of_ranks(
    before: np.ndarray, retrieved: np.ndarray, positives: int, negatives: int, ranked: int
) -> float:
    """ROC area from the negatives ranked before each positive.

    Args:
        before: int [m], for each positive the number of negatives ranked before it.
        retrieved: bool [m], false for positives that are never retrieved.
        positives: Number of positives.
        negatives: Number of negatives.
        ranked: Number of negatives that are retrieved at all.
    """
    behind = ranked - before[retrieved].astype(np.float64)
    return float(behind.sum() / max(positives, _SMALL) / max(negatives, _SMALL))

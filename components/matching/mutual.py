"""Which descriptors of two photographs belong together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from components.descriptor_evaluator.protocol import distances

_ROWS = 1024  # descriptors per block: bounds memory


@dataclass(frozen=True)
class Matches:
    """Pairs of points, at most one for each point.

    Attributes:
        first: int64 [M], rows of the first photograph's points, ascending.
        second: int64 [M], rows of the second's.
        distance: float64 [M], Euclidean, between the descriptors.
        ratio: float64 [M], that distance relative to the second nearest neighbour's, of the two
            photographs the larger; 0 where there is none, 1 where both are 0.
    """

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    ratio: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def match(
    first: np.ndarray, second: np.ndarray, ratio: float, distance: float = math.inf
) -> Matches:
    """Finds mutual nearest neighbours that are clearly nearer than the second nearest.

    Both photographs are treated alike: exchanged, they give the same pairs.

    Args:
        first: float32 [n, D], descriptors of the first photograph.
        second: float32 [m, D], of the second. Rows that are not finite match nothing.
        ratio: Largest `Matches.ratio`; 1 keeps all.
        distance: Largest `Matches.distance`.

    Source: Lowe, IJCV 2004, section 7.1 (the ratio test, there from one side).

    Example:
        >>> match(np.float32([[0], [5]]), np.float32([[6], [1], [9]]), 0.5).second
        array([1, 0])
    """
    usable = [np.flatnonzero(distances.finite_rows(rows)) for rows in (first, second)]
    if not len(usable[0]) or not len(usable[1]):
        return Matches(*(np.empty(0, kind) for kind in (np.int64, np.int64, float, float)))
    first, second = first[usable[0]], second[usable[1]]
    code = distances.Code.around(np.concatenate([first, second]))
    left, right = code.encode(first), code.encode(second)
    index, nearest, ratios = _two_nearest(first, second, left, right)
    back, _, ratios_back = _two_nearest(second, first, right, left)
    ratios = np.maximum(ratios, ratios_back[index])
    mutual = back[index] == np.arange(len(first))
    kept = np.flatnonzero(mutual & (ratios <= ratio) & (nearest <= distance))
    return Matches(usable[0][kept], usable[1][index[kept]], nearest[kept], ratios[kept])


def _two_nearest(
    rows: np.ndarray,
    others: np.ndarray,
    left: distances.Encoded,
    right: distances.Encoded,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds the nearest of `others` for each of `rows`, and how clearly it is the nearest.

    Which two are nearest is decided by a product in float32, which of them is nearer by exact
    distances; others that the product cannot tell from them are as near to six digits.

    Returns:
        int64 [n], the first nearest; float64 [n], its distance; float64 [n], `Matches.ratio`
        from this side.
    """
    if len(others) == 1:
        index = np.zeros(len(rows), np.int64)
        return index, distances.exact_pairs(rows, others), np.zeros(len(rows))
    factor, other = left.as_left(), right.as_right().T
    two = np.empty((2, len(rows)), np.int64)
    for start in range(0, len(rows), _ROWS):
        block = slice(start, start + _ROWS)
        product = factor[block] @ other
        two[0, block] = product.argmin(axis=1)
        product[np.arange(len(product)), two[0, block]] = np.inf
        two[1, block] = product.argmin(axis=1)
    two.sort(axis=0)  # of two that are as near, the first
    near, far = (distances.exact_pairs(rows, others[index]) for index in two)
    exchanged = far < near
    near, far = np.where(exchanged, far, near), np.where(exchanged, near, far)
    ratio = np.where(far > 0, near / np.where(far > 0, far, 1), 1.0)
    return np.where(exchanged, two[1], two[0]), near, ratio

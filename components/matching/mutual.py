"""Which descriptors of two photographs belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.descriptor_evaluator.protocol import distances
from components.descriptor_evaluator.protocol.matching import nearest_neighbours

_ROWS = 1024  # descriptors per block: bounds memory


@dataclass(frozen=True)
class Matches:
    """Pairs of points, at most one for each point.

    Attributes:
        first: int64 [M], rows of the first photograph's points, ascending.
        second: int64 [M], rows of the second's.
        distance: float64 [M], Euclidean, between the descriptors.
        ratio: float64 [M], that distance relative to the second nearest neighbour's; 0 where
            there is none, 1 where both are 0.
    """

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    ratio: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def match(first: np.ndarray, second: np.ndarray, ratio: float) -> Matches:
    """Finds mutual nearest neighbours that are clearly nearer than the second nearest.

    Args:
        first: float32 [n, D], descriptors of the first photograph.
        second: float32 [m, D], of the second. Rows that are not finite match nothing.
        ratio: Largest `Matches.ratio`, looked at from the first photograph; 1 keeps all.

    Source: Lowe, IJCV 2004, section 7.1 (the ratio test).

    Example:
        >>> match(np.float32([[0], [5]]), np.float32([[6], [1], [9]]), 0.5).second
        array([1, 0])
    """
    usable = [np.flatnonzero(distances.finite_rows(rows)) for rows in (first, second)]
    if not len(usable[0]) or not len(usable[1]):
        return Matches(*(np.empty(0, kind) for kind in (np.int64, np.int64, float, float)))
    first, second = first[usable[0]], second[usable[1]]
    there = nearest_neighbours(first, second)
    back = nearest_neighbours(second, first).index
    ratios = _second_ratio(first, second, there.index, there.distance)
    kept = np.flatnonzero((back[there.index] == np.arange(len(first))) & (ratios <= ratio))
    return Matches(
        usable[0][kept], usable[1][there.index[kept]], there.distance[kept], ratios[kept]
    )


def _second_ratio(
    first: np.ndarray, second: np.ndarray, nearest: np.ndarray, distance: np.ndarray
) -> np.ndarray:
    """Returns `Matches.ratio` for every row of `first`, whose nearest row is known.

    Which row is second nearest is decided by a product in float32; rows that it cannot
    tell apart give the same ratio to six digits.
    """
    if len(second) < 2:
        return np.zeros(len(first))
    code = distances.Code.around(np.concatenate([first, second]))
    factor, other = code.encode(first).as_left(), code.encode(second).as_right().T
    runner_up = np.empty(len(first), np.int64)
    for start in range(0, len(first), _ROWS):
        block = slice(start, start + _ROWS)
        product = factor[block] @ other
        product[np.arange(len(product)), nearest[block]] = np.inf
        runner_up[block] = product.argmin(axis=1)
    further = distances.exact_pairs(first, second[runner_up])
    return np.where(further > 0, distance / np.where(further > 0, further, 1), 1.0)

"""Distances with the reference evaluator's formulas, and fast proposals for the Euclidean one.

The reference takes matching and retrieval distances from SciPy's `cdist` (float64: the
squared differences are summed one dimension after the other, then the root is taken) and
verification distances from SciPy's `euclidean` (float32 differences and result). Which of
two almost equal distances is smaller depends on those roundings, so they are kept bit by
bit wherever it matters. Matrix products of float32 only *propose* an order: `Code` knows
how wrong its products can be, and orders closer than that are computed again.

With L1 the reference takes `cdist`'s and SciPy's `cityblock` in their places. No product
proposes its order: all of it is computed exactly. The Hamming distance is that of L1 between
zeros and ones, whose products are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Distance = Literal["l2", "l1", "hamming"]
_SCIPY = {"l2": "euclidean", "l1": "cityblock"}
_UNIT = 2.0**-24  # relative rounding error of float32
_EXTRA = 16  # roundings beside those of the dot product: centring, norms, thresholds
_BLOCK = 1 << 15


def exact_matrix(first: np.ndarray, second: np.ndarray, distance: Distance = "l2") -> np.ndarray:
    """Returns the reference's distances between all rows, float64 [n, m].

    Of Hamming, float32; the rows then hold zeros and ones alone.
    """
    if distance == "hamming":
        lengths = first.sum(axis=1)[:, None] + second.sum(axis=1)
        return lengths - 2 * (first @ second.T)
    from scipy.spatial.distance import cdist  # half a second that not every caller needs

    return cdist(first, second, _SCIPY[distance])


def exact_pairs(first: np.ndarray, second: np.ndarray, distance: Distance = "l2") -> np.ndarray:
    """Returns `exact_matrix`'s values for given pairs, bit for bit, float64 [n].

    Args:
        first: [n, D] descriptors.
        second: [n, D] descriptors, or something that broadcasts against `first`.
        distance: Distance metric.
    """
    difference = np.subtract(first, second, dtype=np.float64)
    if distance != "l2":
        np.abs(difference, out=difference)
    else:
        difference *= difference
    # Adding along the outer axis is sequential, as in cdist; along the inner axis NumPy
    # would add pairwise and round differently.
    total = np.add.reduce(np.ascontiguousarray(difference.T), axis=0)
    return np.sqrt(total) if distance == "l2" else total


def verification_pairs(
    first: np.ndarray, second: np.ndarray, distance: Distance = "l2"
) -> np.ndarray:
    """Returns the distances of the verification task.

    Args:
        first: float32 [n, D].
        second: float32 [n, D].
        distance: Distance metric.

    Returns:
        float32 [n]: float32 differences; L2: summed in float64, rounded to float32; others:
        summed in float32, pairwise, as NumPy sums a vector.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity pass through
        narrow = np.subtract(first, second, dtype=np.float32)
        if distance != "l2":
            return np.abs(narrow).sum(axis=1)
        difference = narrow.astype(np.float64)
        return np.sqrt(np.einsum("ij,ij->i", difference, difference)).astype(np.float32)


def finite_rows(descriptors: np.ndarray) -> np.ndarray:
    """Tells which descriptors hold neither NaN nor infinity, bool [...]."""
    return np.isfinite(descriptors).all(axis=-1)


@dataclass(frozen=True)
class Code:
    """Where descriptors are moved to so that float32 products are as exact as can be.

    The common centre is subtracted (nearly equal descriptors differ in digits that a
    product would lose) and the scale is a power of two (nothing over- or underflows, and
    no rounding is added).

    Attributes:
        centre: float32 [D].
        scale: Power of two.
    """

    centre: np.ndarray
    scale: float

    @classmethod
    def around(cls, descriptors: np.ndarray) -> Code:
        """Returns the code of finite descriptors [n, D]; of none, the identity."""
        if not len(descriptors):
            return cls(np.zeros(descriptors.shape[-1], np.float32), 1.0)
        # Rounded to float32 so that identical descriptors come out as exactly zero.
        centre = descriptors.mean(axis=0, dtype=np.float64).astype(np.float32)
        largest = np.maximum(
            descriptors.max(axis=0) - centre.astype(np.float64),
            centre.astype(np.float64) - descriptors.min(axis=0),
        ).max()
        scale = 1.0 if largest == 0 else float(2.0 ** -np.floor(np.log2(largest)))
        return cls(centre, scale)

    def encode(self, descriptors: np.ndarray) -> Encoded:
        """Encodes finite descriptors [n, D]."""
        shifted = np.empty(descriptors.shape, np.float32)
        squares = np.empty(len(descriptors), np.float64)
        for start in range(0, len(descriptors), _BLOCK):
            block = slice(start, start + _BLOCK)
            wide = np.subtract(descriptors[block], self.centre, dtype=np.float64) * self.scale
            shifted[block] = wide
            squares[block] = np.einsum("ij,ij->i", wide, wide)
        return Encoded(shifted, squares)


@dataclass(frozen=True)
class Encoded:
    """Descriptors in a `Code`.

    Attributes:
        vectors: float32 [n, D].
        squares: float64 [n], squared lengths.
    """

    vectors: np.ndarray
    squares: np.ndarray

    def as_left(self) -> np.ndarray:
        """Left factor of the product, float32 [n, D + 1]."""
        return np.hstack([self.vectors, np.ones((len(self.vectors), 1), np.float32)])

    def as_right(self) -> np.ndarray:
        """Right factor, float32 [n, D + 1].

        `left @ right.T` is |x|^2 - 2 r.x: the squared distance less |r|^2, which is the same
        for all x and so does not change their order.
        """
        squares = self.squares[:, None].astype(np.float32)
        return np.hstack([-2.0 * self.vectors, squares]).astype(np.float32, copy=False)


def tolerance(left: Encoded, right: Encoded) -> np.ndarray:
    """Bounds the error of `left.as_left() @ right.as_right().T`, row by row.

    Worst case of a dot product of D + 1 terms in any order of summation (Higham, Accuracy
    and Stability of Numerical Algorithms, section 3.1), plus the roundings of its inputs.

    Returns:
        float64 [rows of left]; 0 where both sides are exactly zero.
    """
    dimension = left.vectors.shape[1]
    reach = np.sqrt(left.squares) + np.sqrt(right.squares.max(initial=0.0))
    return _UNIT * (dimension + _EXTRA) * reach**2

"""Which triplets of a batch of descriptors are hardest: on the host, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Triplets:
    """One triplet per row.

    Attributes:
        anchor: int [A], row of the batch.
        positive: int [A], row of the positive.
        negative: int [A], row of the negative.
        positive_distance: float64 [A], Euclidean.
        negative_distance: float64 [A], Euclidean.
    """

    anchor: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    positive_distance: np.ndarray
    negative_distance: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Whether the positive is nearer than the negative, bool [A]."""
        return self.positive_distance < self.negative_distance

    def at(self, rows: np.ndarray) -> Triplets:
        """Returns some of the triplets, int [n] of their places."""
        return Triplets(
            self.anchor[rows],
            self.positive[rows],
            self.negative[rows],
            self.positive_distance[rows],
            self.negative_distance[rows],
        )


def distances(descriptors: np.ndarray) -> np.ndarray:
    """Returns the Euclidean distances of all pairs, float64 [N, N], of float [N, D]."""
    values = descriptors.astype(np.float64)
    squares = (values**2).sum(1)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * values @ values.T, 0))


def pair_distances(distance: np.ndarray, variants: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits a batch's distances into those of positive and of negative pairs.

    Args:
        distance: float [S*K, S*K], the K patches of a point next to each other.
        variants: K.

    Returns:
        Distances of the S*K*(K-1)/2 positive and of the K*K*S*(S-1)/2 negative pairs.
    """
    first, second = np.triu_indices(len(distance), 1)
    same = first // variants == second // variants
    values = distance[first, second]
    return values[same], values[~same]


def hardest(distance: np.ndarray, variants: int) -> Triplets:
    """Returns each patch's hardest triplet: farthest positive and nearest negative.

    Args:
        distance: float [S*K, S*K], the K patches of a point next to each other.
        variants: K, at least 2.
    """
    anchor = np.arange(len(distance))
    point = anchor // variants
    same = point[:, None] == point
    others = same & ~np.eye(len(distance), dtype=bool)
    positive = np.where(others, distance, -np.inf).argmax(1)
    negative = np.where(same, np.inf, distance).argmin(1)
    return Triplets(
        anchor, positive, negative, distance[anchor, positive], distance[anchor, negative]
    )


def worst(triplets: Triplets, variants: int, count: int) -> Triplets:
    """Returns the triplets whose positive is farthest beyond the negative, the worst first.

    One per point at most: the patches of a hard point would otherwise fill the list.

    Args:
        triplets: One triplet for each of the S*K patches of a batch, in order (`hardest`).
        variants: K.
        count: Maximum number of triplets.
    """
    excess = (triplets.positive_distance - triplets.negative_distance).reshape(-1, variants)
    of_point = excess.argmax(1) + variants * np.arange(len(excess))
    order = np.argsort(-excess.max(1), kind="stable")[:count]
    return triplets.at(of_point[order])

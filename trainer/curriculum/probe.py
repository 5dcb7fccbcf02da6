"""Signs of collapse, read off a fixed batch in inference mode.

`trainer.curriculum.stages` detects a collapse from: the mean distance of random pairs (it falls
to 0 when descriptors shrink to a point, whatever follows the last convolution), the effective
rank (it falls to 1 where a final batch norm holds the variance and the descriptors shrink to
a line instead), both relative to those before the first step, and the loss on the probe and
in training as a share of the collapse point (below it a network still learns, however close
its descriptors have moved). The hardest distances go to the timeline with them.

The batch is fixed, so that the signals do not move with its difficulty, and described in
inference mode, as that is what will be used. The loss alone cannot tell (a healthy network
with a final batch norm stays near the collapse point for long), nor can the variance of the
embedding (a batch norm holds it, even for a code of rank one).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ProbeSignals:
    """What a batch of descriptors says.

    Attributes:
        pair_distance: Mean Euclidean distance between descriptors of different points.
        hardest_positive: Mean distance to the farthest positive.
        hardest_negative: Mean distance to the nearest negative.
        effective_rank: exp of the entropy of the covariance's normalised eigenvalues (Roy
            and Vetterli, EUSIPCO 2007): how many dimensions the descriptors really use.
        spread: Square root of the summed variances of the embedding's dimensions, before
            the final normalisation.
        normalized_loss: Loss on the batch, 0 at its floor and 1 at the collapse point.
    """

    pair_distance: float
    hardest_positive: float
    hardest_negative: float
    effective_rank: float
    spread: float
    normalized_loss: float

    def as_dict(self) -> dict[str, float]:
        """Returns the signals by name."""
        return dataclasses.asdict(self)


def signals(
    embedding: np.ndarray, descriptors: np.ndarray, patches_per_point: int, normalized_loss: float
) -> ProbeSignals:
    """Computes the signals.

    Args:
        embedding: float32 [S*K, D], before the final normalisation.
        descriptors: float32 [S*K, D], the K patches of a point next to each other.
        patches_per_point: K.
        normalized_loss: Normalized loss on this batch.
    """
    values = descriptors.astype(np.float64)
    squares = (values**2).sum(1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * values @ values.T, 0))
    point = np.arange(len(values)) // patches_per_point
    same = point[:, None] == point
    return ProbeSignals(
        pair_distance=float(distance[~same].mean()),
        hardest_positive=float(np.where(same, distance, 0).max(1).mean()),
        hardest_negative=float(np.where(same, np.inf, distance).min(1).mean()),
        effective_rank=effective_rank(values),
        spread=float(np.sqrt(embedding.astype(np.float64).var(0).sum())),
        normalized_loss=normalized_loss,
    )


def effective_rank(values: np.ndarray) -> float:
    """Returns the effective rank of the rows of [N, D]; 1 when they are equal or not finite."""
    if not np.isfinite(values).all():
        return 1.0
    variances = np.linalg.svd(values - values.mean(0), compute_uv=False) ** 2
    total = variances.sum()
    if total <= 1e-12 * float((values**2).sum()):
        return 1.0
    shares = variances[variances > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))

"""The loss of a batch: mined triplets, the cost of each, and regularisers of pairs.

Miners and costs are chosen by name (`trainer.core.registry`); the published losses are
combinations of these with a distance and regularisers (`second_order`, `hynet`).
"""

from __future__ import annotations

import math
import pkgutil
from typing import NamedTuple

import tensorflow as tf

from trainer.core import registry
from trainer.core.config import LossConfig, ModelConfig
from trainer.losses import distances, hardnet, hynet, second_order
from trainer.losses.mining import Triplets
from trainer.model.l2net import on_unit_sphere


class UnitLosses(NamedTuple):
    """Loss of each unit of a batch, float32 [U]; their mean over the global batch is the loss.

    Attributes:
        loss: Triplet term and regularisers.
        triplet: Triplet term alone, from which the normalized loss is computed.
        positive: Distance to the positive, in the configured distance.
        negative: Distance to the negative.
        violated: 1 where the negative is less than the margin beyond the positive, else 0.
    """

    loss: tf.Tensor
    triplet: tf.Tensor
    positive: tf.Tensor
    negative: tf.Tensor
    violated: tf.Tensor


class Loss:
    """A configured loss.

    The cost of a triplet is a function of x = margin + p - n, for the distances p to the
    positive and n to the negative. The reduction is the mean over the units of the (global)
    batch, regularisers included. A unit has one triplet: it is a patch, or a pair where the
    miner works on pairs.

    Args:
        config: Settings of the loss.
        unit_sphere: Whether all descriptors have length 1.

    Attributes:
        collapse_point: L*, the cost of a triplet when all descriptors are equal.
        floor: Least possible cost: positive at distance 0, negative as far away as can be (the
            diameter of the unit sphere; where descriptors have no fixed length, infinity).
        distance_scale: Euclidean distance at which the loss works: that of the margin, or 1
            without one. Descriptors without a fixed length start at whatever scale the weights
            have and move to this one, which is no collapse.
    """

    def __init__(self, config: LossConfig, unit_sphere: bool = True) -> None:
        loss, miner = registry.LOSSES[config.name], registry.MINERS[config.mining]
        self._config = config
        self._cost = pkgutil.resolve_name(loss.place)
        self._mine = pkgutil.resolve_name(miner.place)
        self._pairs = miner.pairs
        alpha = config.hybrid_alpha
        farthest = {"euclidean": 2.0, "squared": 4.0, "hybrid": 2.0 + 2.0 * alpha}[config.distance]
        self.collapse_point = self._cost_of(config.margin)
        self.floor = self._cost_of(config.margin - (farthest if unit_sphere else math.inf))
        reach = config.margin if loss.needs_margin else max(config.margin, 1.0)
        if config.distance == "hybrid":
            reach = hynet.euclidean_of(reach, alpha)
        self.distance_scale = math.sqrt(reach) if config.distance == "squared" else reach

    @classmethod
    def of(cls, loss: LossConfig, model: ModelConfig) -> Loss:
        """Returns the configured loss for the configured network."""
        return cls(loss, on_unit_sphere(model.final_normalisation))

    def normalized(self, triplet_loss: float) -> float:
        """Returns (L - floor) / (L* - floor): 1 at the collapse point, 0 at the best."""
        return (triplet_loss - self.floor) / (self.collapse_point - self.floor)

    def units(self, patches: int) -> int:
        """Returns how many units a batch of so many patches has."""
        return patches // 2 if self._pairs else patches

    def per_unit(
        self,
        descriptors: tf.Tensor,
        patches_per_point: int,
        *,
        before_l2: tf.Tensor | None = None,
        candidates: tf.Tensor | None = None,
        offset: tf.Tensor | int = 0,
    ) -> UnitLosses:
        """Computes the losses of the units of one replica, in float32.

        Divided by the units of the global batch, their sum over all replicas is the loss,
        and the replicas' gradients, summed, are its gradient.

        Args:
            descriptors: [A, D], A a multiple of K, the K patches of a point next to each
                other.
            patches_per_point: K; 2 for anything that works on pairs.
            before_l2: [A, D], the descriptors before they were normalised to length 1; needed
                by the norm penalty only.
            candidates: [G, D], the descriptors of all replicas; None with a single replica.
            offset: Row of `candidates` at which `descriptors` begin.
        """
        config = self._config
        descriptors = tf.cast(descriptors, tf.float32)
        candidates = descriptors if candidates is None else tf.cast(candidates, tf.float32)
        triplets = self._mine(descriptors, patches_per_point, candidates, offset, config)
        triplet, positive, negative = self._costs(triplets)
        loss = triplet
        if config.second_order:
            penalty = second_order.penalties(
                descriptors, candidates, offset, config.second_order_neighbours
            )
            loss += config.second_order * self._of_units(penalty)
        if config.norm_penalty:
            penalty = hynet.length_differences(*hardnet.split(before_l2))
            loss += config.norm_penalty * self._of_units(penalty)
        violated = tf.cast(config.margin + positive > negative, tf.float32)
        return UnitLosses(loss, triplet, positive, negative, violated)

    def mean_triplet(self, descriptors: tf.Tensor, patches_per_point: int) -> tf.Tensor:
        """Returns the triplet term of a whole batch [S*K, D], a scalar.

        Where the loss works on pairs, the first two patches of each point are the pair.
        """
        if self._pairs and patches_per_point > 2:
            points = tf.reshape(descriptors, [-1, patches_per_point, descriptors.shape[-1]])
            descriptors = tf.reshape(points[:, :2], [-1, descriptors.shape[-1]])
        triplets = self._mine(descriptors, patches_per_point, descriptors, 0, self._config)
        return tf.reduce_mean(self._costs(triplets)[0])

    def _costs(self, triplets: Triplets) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns cost, positive and negative distance of each triplet, float32 [T]."""
        positive = self._distance(triplets.anchor, triplets.positive)
        negative = self._distance(triplets.pivot, triplets.negative)
        return self._cost(self._config.margin + positive - negative), positive, negative

    def _distance(self, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Returns the distance of each row of [T, D] to the same row of the other, float32 [T].

        The square root is safe: equal rows have gradient zero.
        """
        squares = distances.paired_squared(left, right)
        if self._config.distance == "squared":
            return squares
        roots = distances.safe_root(squares)
        if self._config.distance == "hybrid":
            return hynet.hybrid(roots, squares, self._config.hybrid_alpha)
        return roots

    def _cost_of(self, violation: float) -> float:
        with tf.device("CPU"):
            return float(self._cost(tf.constant(violation, tf.float64)))

    def _of_units(self, of_pairs: tf.Tensor) -> tf.Tensor:
        """Spreads values of pairs over their units; the mean stays the same."""
        return of_pairs if self._pairs else tf.repeat(of_pairs, 2)

"""The loss of a batch: mined triplets, what each costs, and what is added to that.

A `Loss` is put together from a way of mining (`batch_hard`, `hardnet`), a distance and a cost of
triplets (`TripletCost`), and regularisers of pairs (`second_order`, `hynet`), all in this
package. The published losses are combinations of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import tensorflow as tf

from trainer.core.config import LossConfig, ModelConfig
from trainer.losses import batch_hard, distances, hardnet, hynet, second_order
from trainer.losses.mining import Triplets
from trainer.model.l2net import on_unit_sphere


@dataclass(frozen=True)
class TripletCost:
    """What a triplet costs, and what a collapsed network would pay for it.

    Of x = margin + p - n, for the distances p to the positive and n to the negative:
    `hinge` max(0, x), `squared_hinge` max(0, x)^2, `soft_margin` ln(1 + exp(x)).

    Attributes:
        name: Which of them.
        distance: `euclidean` d, `squared` d^2 or `hybrid` d + alpha d^2 / 2.
        alpha: Of the hybrid distance.
        margin: In units of the distance.
        unit_sphere: Whether all descriptors have length 1.
    """

    name: Literal["hinge", "squared_hinge", "soft_margin"]
    distance: Literal["euclidean", "squared", "hybrid"]
    margin: float
    alpha: float = 2.0
    unit_sphere: bool = True

    @property
    def collapse_point(self) -> float:
        """L*: what a triplet costs when all descriptors are equal."""
        return self._cost(self.margin)

    @property
    def floor(self) -> float:
        """The least possible cost: the positive at distance 0, the negative farthest away.

        The diameter of the unit sphere is 2, or 4 squared, or 2 + 2 alpha hybrid; elsewhere
        nothing bounds the distance, and the cost falls to 0.
        """
        if not self.unit_sphere:
            return 0.0
        farthest = {"euclidean": 2.0, "squared": 4.0, "hybrid": 2.0 + 2.0 * self.alpha}
        return self._cost(self.margin - farthest[self.distance])

    @property
    def length(self) -> float:
        """Euclidean distance at which the loss works: that of the margin, or 1 without one.

        Descriptors without a fixed length start at whatever scale the weights have and move
        to this one, which is no collapse.
        """
        reach = max(self.margin, 1.0) if self.name == "soft_margin" else self.margin
        if self.distance == "hybrid":
            return hynet.euclidean_of(reach, self.alpha)
        return math.sqrt(reach) if self.distance == "squared" else reach

    def between(self, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Returns the distance of each row of [T, D] to the same row of the other, float32 [T].

        The square root is safe: equal rows have gradient zero.
        """
        squares = distances.paired_squared(left, right)
        if self.distance == "squared":
            return squares
        roots = distances.safe_root(squares)
        return hynet.hybrid(roots, squares, self.alpha) if self.distance == "hybrid" else roots

    def of(self, positive: tf.Tensor, negative: tf.Tensor) -> tf.Tensor:
        """Returns the cost of triplets with the distances given, float32 [T]."""
        violation = self.margin + positive - negative
        if self.name == "soft_margin":
            return tf.math.softplus(violation)
        hinge = tf.nn.relu(violation)
        return tf.square(hinge) if self.name == "squared_hinge" else hinge

    def _cost(self, violation: float) -> float:
        if self.name == "soft_margin":
            return math.log1p(math.exp(violation))
        hinge = max(0.0, violation)
        return hinge**2 if self.name == "squared_hinge" else hinge


class UnitLosses(NamedTuple):
    """What each unit of a batch loses, float32 [U]: their sums over the units are the loss.

    Attributes:
        loss: All of it.
        triplet: The triplet term alone, which shares of the collapse point are of.
        positive: Distance to the positive, in the unit of the loss.
        negative: Distance to the negative.
        violated: 1 where the negative is less than the margin beyond the positive.
    """

    loss: tf.Tensor
    triplet: tf.Tensor
    positive: tf.Tensor
    negative: tf.Tensor
    violated: tf.Tensor


@dataclass(frozen=True)
class Loss:
    """A loss put together.

    Its reduction is the mean over the units of the (global) batch, regularisers included. A
    unit is what has one triplet: a patch for batch-hard mining, a pair for HardNet's.

    Attributes:
        cost: Of a triplet.
        mining: `batch_hard` or `hardnet`.
        anchor_swap: Of HardNet's mining.
        second_order: Weight of SOSNet's regulariser.
        neighbours: Its k.
        norm_penalty: Weight of HyNet's penalty.
    """

    cost: TripletCost
    mining: Literal["batch_hard", "hardnet"] = "batch_hard"
    anchor_swap: bool = True
    second_order: float = 0.0
    neighbours: int = 8
    norm_penalty: float = 0.0

    @classmethod
    def of(cls, loss: LossConfig, model: ModelConfig) -> Loss:
        """Returns the configured loss for the configured network."""
        cost = TripletCost(
            name=loss.name,
            distance=loss.distance,
            margin=loss.margin,
            alpha=loss.hybrid_alpha,
            unit_sphere=on_unit_sphere(model.final_normalisation),
        )
        return cls(
            cost=cost,
            mining=loss.mining,
            anchor_swap=loss.anchor_swap,
            second_order=loss.second_order,
            neighbours=loss.second_order_neighbours,
            norm_penalty=loss.norm_penalty,
        )

    @property
    def collapse_point(self) -> float:
        """L*: the triplet term when all descriptors are equal."""
        return self.cost.collapse_point

    @property
    def floor(self) -> float:
        """The least possible triplet term."""
        return self.cost.floor

    @property
    def length(self) -> float:
        """Euclidean distance at which the triplet term works (`TripletCost.length`)."""
        return self.cost.length

    def share(self, triplet_loss: float) -> float:
        """Returns (L - floor) / (L* - floor): 1 at the collapse point, 0 at the best."""
        return (triplet_loss - self.floor) / (self.collapse_point - self.floor)

    def units(self, patches: int) -> int:
        """Returns how many units a batch of so many patches has."""
        return patches // 2 if self.mining == "hardnet" else patches

    def per_unit(
        self,
        descriptors: tf.Tensor,
        variants: int,
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
            variants: K; 2 for anything that works on pairs.
            before_l2: [A, D], the descriptors before they were normalised to length 1; only
                the norm penalty needs them.
            candidates: [G, D], the descriptors of all replicas; None: there is but one.
            offset: Row of `candidates` at which `descriptors` begin.
        """
        descriptors = tf.cast(descriptors, tf.float32)
        candidates = descriptors if candidates is None else tf.cast(candidates, tf.float32)
        triplets = self._mined(descriptors, variants, candidates, offset)
        positive = self.cost.between(triplets.anchor, triplets.positive)
        negative = self.cost.between(triplets.pivot, triplets.negative)
        triplet = loss = self.cost.of(positive, negative)
        if self.second_order:
            paid = second_order.penalties(descriptors, candidates, offset, self.neighbours)
            loss += self.second_order * self._of_units(paid)
        if self.norm_penalty:
            paid = hynet.length_differences(*hardnet.split(before_l2))
            loss += self.norm_penalty * self._of_units(paid)
        violated = tf.cast(self.cost.margin + positive > negative, tf.float32)
        return UnitLosses(loss, triplet, positive, negative, violated)

    def mean_triplet(self, descriptors: tf.Tensor, variants: int) -> tf.Tensor:
        """Returns the triplet term of a whole batch [S*K, D], a scalar.

        Where the loss works on pairs, the first two patches of each point are the pair.
        """
        if self.mining == "hardnet" and variants > 2:
            points = tf.reshape(descriptors, [-1, variants, descriptors.shape[-1]])
            descriptors = tf.reshape(points[:, :2], [-1, descriptors.shape[-1]])
        triplets = self._mined(descriptors, variants, descriptors, 0)
        positive = self.cost.between(triplets.anchor, triplets.positive)
        negative = self.cost.between(triplets.pivot, triplets.negative)
        return tf.reduce_mean(self.cost.of(positive, negative))

    def _mined(
        self,
        descriptors: tf.Tensor,
        variants: int,
        candidates: tf.Tensor,
        offset: tf.Tensor | int,
    ) -> Triplets:
        if self.mining == "hardnet":
            return hardnet.mine(descriptors, candidates, offset, swap=self.anchor_swap)
        return batch_hard.mine(descriptors, variants, candidates, offset)

    def _of_units(self, of_pairs: tf.Tensor) -> tf.Tensor:
        """Gives what pairs pay to their units; its mean stays the same."""
        return of_pairs if self.mining == "hardnet" else tf.repeat(of_pairs, 2)

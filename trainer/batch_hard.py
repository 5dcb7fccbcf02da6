"""Batch-hard triplet losses over batches of S patch sequences x K patches.

Hermans, Beyer and Leibe, "In Defense of the Triplet Loss" (2017): each patch is an
anchor once, with its farthest positive and its nearest negative in the batch. The
embeddings stay in sampling order, so (S, K) alone says who is who: the positives are the
K x K blocks on the diagonal, the negatives everything else. Nothing is looked up by label
and all shapes are static.

Mining only chooses, and is not differentiated; the distances to what was chosen are
computed anew from the differences, exactly where the matrix product is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from trainer import distances
from trainer.config import LossConfig, ModelConfig
from trainer.model import on_unit_sphere

_LARGEST_TILE = 2**23  # distances in memory at a time


class Hardest(NamedTuple):
    """Distances of each anchor, float32 [A], in the unit of the loss.

    Attributes:
        positive: To its farthest positive.
        negative: To its nearest negative.
    """

    positive: tf.Tensor
    negative: tf.Tensor


@dataclass(frozen=True)
class BatchHardLoss:
    """What a triplet costs, and what a collapsed network would pay.

    The loss of a batch is the mean over its anchors.

    Attributes:
        soft: ln(1 + exp(x)) instead of max(0, x), for x = margin + positive - negative.
        squared: Squared Euclidean distances instead of Euclidean ones.
        margin: In units of the distance.
        farthest: Largest possible distance (2, or 4 when squared, on the unit sphere), or
            None when there is none.
    """

    soft: bool
    squared: bool
    margin: float
    farthest: float | None

    @classmethod
    def of(cls, loss: LossConfig, model: ModelConfig) -> BatchHardLoss:
        """Returns the configured loss for the configured network."""
        squared = loss.distance == "squared"
        farthest = 4.0 if squared else 2.0
        return cls(
            soft=loss.name == "soft_margin",
            squared=squared,
            margin=loss.margin,
            farthest=farthest if on_unit_sphere(model.final_normalisation) else None,
        )

    @property
    def collapse_point(self) -> float:
        """L*: the loss when all descriptors are equal."""
        return math.log1p(math.exp(self.margin)) if self.soft else self.margin

    @property
    def floor(self) -> float:
        """The least possible loss: positives at distance 0, negatives as far as can be."""
        if self.soft:
            return (
                0.0 if self.farthest is None else math.log1p(math.exp(self.margin - self.farthest))
            )
        return 0.0 if self.farthest is None else max(0.0, self.margin - self.farthest)

    @property
    def length(self) -> float:
        """Euclidean distance at which the loss works: that of the margin, or 1 without one.

        Descriptors without a fixed length start at whatever scale the weights have and move
        to this one, which is no collapse.
        """
        reach = max(self.margin, 1.0) if self.soft else self.margin
        return math.sqrt(reach) if self.squared else reach

    def share(self, loss: float) -> float:
        """Returns (L - floor) / (L* - floor): 1 at the collapse point, 0 at the best."""
        return (loss - self.floor) / (self.collapse_point - self.floor)

    def per_anchor(self, hardest: Hardest) -> tf.Tensor:
        """Returns the loss of every anchor, float32 [A]."""
        violation = self.margin + hardest.positive - hardest.negative
        return tf.math.softplus(violation) if self.soft else tf.nn.relu(violation)


def hardest_distances(
    anchors: tf.Tensor,
    variants: int,
    *,
    squared: bool,
    candidates: tf.Tensor | None = None,
    offset: tf.Tensor | int = 0,
) -> Hardest:
    """Finds each anchor's farthest positive and nearest negative.

    Args:
        anchors: [S_a*K, D], the K patches of a sequence next to each other.
        variants: K.
        squared: Unit of the distances returned.
        candidates: [S*K, D], all descriptors that negatives come from, the anchors among
            them (the gathered batch of all replicas); None: the anchors themselves.
        offset: Row of `candidates` at which the anchors begin.

    Returns:
        Distances, differentiable with respect to anchors and candidates.
    """
    anchors = tf.cast(anchors, tf.float32)
    candidates = anchors if candidates is None else tf.cast(candidates, tf.float32)
    positive = _farthest_positive(tf.stop_gradient(anchors), variants)
    negative = _nearest_negative(
        tf.stop_gradient(anchors), tf.stop_gradient(candidates), variants, offset
    )
    return Hardest(
        distances.paired(anchors, tf.gather(anchors, positive), squared),
        distances.paired(anchors, tf.gather(_with_dense_gradient(candidates), negative), squared),
    )


@tf.custom_gradient
def _with_dense_gradient(values: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
    """Returns the values; a gather's sparse gradient becomes dense, as collectives need it."""
    return tf.identity(values), tf.convert_to_tensor


def _farthest_positive(anchors: tf.Tensor, variants: int) -> tf.Tensor:
    """Returns int32 [A]: rows of `anchors`."""
    blocks = tf.reshape(anchors, [-1, variants, anchors.shape[-1]])
    squares = distances.pairwise_squared(blocks, blocks)
    others = squares - 2 * tf.eye(variants) * (1 + tf.reduce_max(squares))  # not oneself
    within = tf.argmax(others, axis=-1, output_type=tf.int32)  # [S, K]
    first = tf.range(tf.shape(blocks)[0])[:, tf.newaxis] * variants
    return tf.reshape(within + first, [-1])


def _nearest_negative(
    anchors: tf.Tensor, candidates: tf.Tensor, variants: int, offset: tf.Tensor | int
) -> tf.Tensor:
    """Returns int32 [A]: rows of `candidates`; large batches are mined in tiles of rows."""
    count, total = anchors.shape[0], candidates.shape[0]
    point = tf.range(total) // variants

    def mine(tile: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        rows, first = tile
        own = (first + tf.range(rows.shape[0])) // variants
        squares = distances.pairwise_squared(rows, candidates)
        same = own[:, tf.newaxis] == point[tf.newaxis, :]
        return tf.argmin(tf.where(same, squares.dtype.max, squares), axis=-1, output_type=tf.int32)

    rows = _tile_rows(count, total)
    if rows == count:
        return mine((anchors, tf.convert_to_tensor(offset)))
    tiles = tf.reshape(anchors, [-1, rows, anchors.shape[-1]])
    starts = offset + tf.range(0, count, rows)
    spec = tf.TensorSpec([rows], tf.int32)
    chosen = tf.map_fn(mine, (tiles, starts), fn_output_signature=spec, parallel_iterations=1)
    return tf.reshape(chosen, [-1])


def _tile_rows(count: int, total: int) -> int:
    """Returns the most rows, a divisor of `count`, whose distances fit in a tile."""
    tiles = 1
    while count % tiles or count // tiles * total > _LARGEST_TILE:
        tiles += 1
        if tiles >= count:
            return 1
    return count // tiles

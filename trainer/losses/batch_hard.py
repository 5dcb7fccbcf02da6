"""Batch-hard mining over batches of S points x K patches.

Hermans, Beyer and Leibe, "In Defense of the Triplet Loss" (2017): each patch is an
anchor once, with its farthest positive and its nearest negative in the batch. The
embeddings stay in sampling order, so (S, K) alone says who is who: the positives are the
K x K blocks on the diagonal, the negatives everything else. Nothing is looked up by label
and all shapes are static.
"""

from __future__ import annotations

import tensorflow as tf

from trainer.core.config import LossConfig
from trainer.losses import distances, mining
from trainer.losses.mining import Triplets


def mine(
    descriptors: tf.Tensor,
    patches_per_point: int,
    candidates: tf.Tensor,
    offset: tf.Tensor | int,
    config: LossConfig,
) -> Triplets:
    """Finds each patch's farthest positive and nearest negative.

    Args:
        descriptors: float32 [S_a*K, D], the K patches of a point next to each other.
        patches_per_point: K.
        candidates: float32 [S*K, D], all descriptors that negatives come from, these among
            them.
        offset: Row of `candidates` at which `descriptors` begin.
        config: Settings of the loss; none of them concerns this miner.

    Returns:
        S_a*K triplets.
    """
    del config
    fixed = tf.stop_gradient(descriptors)
    positive = _farthest_positive(fixed, patches_per_point)
    negative = _nearest_negative(fixed, tf.stop_gradient(candidates), patches_per_point, offset)
    return Triplets(
        descriptors,
        tf.gather(descriptors, positive),
        descriptors,
        mining.rows_of(candidates, negative),
    )


def _farthest_positive(descriptors: tf.Tensor, patches_per_point: int) -> tf.Tensor:
    """Returns int32 [A]: rows of `descriptors`."""
    blocks = tf.reshape(descriptors, [-1, patches_per_point, descriptors.shape[-1]])
    squares = distances.pairwise_squared(blocks, blocks)
    others = squares - 2 * tf.eye(patches_per_point) * (1 + tf.reduce_max(squares))  # not oneself
    within = tf.argmax(others, axis=-1, output_type=tf.int32)  # [S, K]
    first = tf.range(tf.shape(blocks)[0])[:, tf.newaxis] * patches_per_point
    return tf.reshape(within + first, [-1])


def _nearest_negative(
    descriptors: tf.Tensor, candidates: tf.Tensor, patches_per_point: int, offset: tf.Tensor | int
) -> tf.Tensor:
    """Returns int32 [A]: rows of `candidates`."""
    total = candidates.shape[0]
    point = tf.range(total) // patches_per_point

    def choose(rows: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        own = (first + tf.range(rows.shape[0])) // patches_per_point
        ranked = distances.ranking(rows, candidates)
        same = own[:, tf.newaxis] == point[tf.newaxis, :]
        return tf.argmin(tf.where(same, ranked.dtype.max, ranked), axis=-1, output_type=tf.int32)

    return mining.by_tiles(choose, descriptors, total, offset, tf.TensorSpec([], tf.int32))

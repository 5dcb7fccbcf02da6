"""HardNet's mining: one triplet per pair, negatives between anchors and positives only.

Mishchuk et al., "Working hard to know your neighbor's margins", NeurIPS 2017: of the matrix
of distances between the n anchors and the n positives of a batch, pair i takes the least of
its row (another pair's positive, near its anchor) and, with the anchor swap, of its column
(another pair's anchor, near its positive), the diagonal left out.

The published code also leaves out distances under 0.008, as possible duplicates; a
collapsed network would then lose nothing. Here the sampler keeps duplicates apart, and
every other pair's patch is a negative however near it is.
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
    """Finds each pair's hardest negative.

    Args:
        descriptors: float32 [2*P, D], the two patches of a pair next to each other: the
            anchor and its positive.
        patches_per_point: 2.
        candidates: float32 [2*N, D], the pairs of the whole batch, these among them.
        offset: Row of `candidates` at which `descriptors` begin; even.
        config: Settings of the loss; with `anchor_swap` the column counts too.

    Returns:
        P triplets.
    """
    del patches_per_point
    anchors, positives = split(descriptors)
    fixed_anchors, fixed_positives = split(tf.stop_gradient(descriptors))
    all_anchors, all_positives = split(tf.stop_gradient(candidates))
    row, near_anchor = _nearest(fixed_anchors, all_positives, offset // 2)
    pivot, negative = anchors, 2 * row + 1
    if config.anchor_swap:
        column, near_positive = _nearest(fixed_positives, all_anchors, offset // 2)
        swapped = near_positive < near_anchor
        pivot = tf.where(swapped[:, tf.newaxis], positives, anchors)
        negative = tf.where(swapped, 2 * column, negative)
    return Triplets(anchors, positives, pivot, mining.rows_of(candidates, negative))


def split(descriptors: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Takes pairs [2*P, D] apart into anchors and positives, [P, D] each."""
    pairs = tf.reshape(descriptors, [-1, 2, descriptors.shape[-1]])
    return pairs[:, 0], pairs[:, 1]


def _nearest(
    rows: tf.Tensor, others: tf.Tensor, first: tf.Tensor | int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns, for each row, which of `others` is nearest but its own pair's, and how near.

    int32 [P] and float32 [P], squared.
    """
    total = others.shape[0]

    def choose(tile: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
        own = start + tf.range(tile.shape[0])
        squares = distances.pairwise_squared(tile, others)
        same = own[:, tf.newaxis] == tf.range(total)[tf.newaxis, :]
        return tf.argmin(tf.where(same, squares.dtype.max, squares), axis=-1, output_type=tf.int32)

    chosen = mining.by_tiles(choose, rows, total, first, tf.TensorSpec([], tf.int32))
    return chosen, distances.paired_squared(rows, tf.gather(others, chosen))

"""SOSNet's regulariser: matching points should have the same distances to their neighbours.

Tian et al., "SOSNet: Second Order Similarity Regularization for Local Descriptor
Learning", CVPR 2019: pair i pays the root of the sum over j of
(d(anchor i, anchor j) - d(positive i, positive j))^2, where j runs over the pairs whose
anchor is among the k nearest to anchor i or whose positive is among the k nearest to
positive i.
"""

from __future__ import annotations

import tensorflow as tf

from trainer.losses import distances, mining
from trainer.losses.hardnet import split


def penalties(
    descriptors: tf.Tensor, candidates: tf.Tensor, offset: tf.Tensor | int, neighbours: int
) -> tf.Tensor:
    """Returns what each pair pays.

    Args:
        descriptors: float32 [2*P, D], the two patches of a pair next to each other.
        candidates: float32 [2*N, D], the pairs of the whole batch, these among them.
        offset: Row of `candidates` at which `descriptors` begin; even.
        neighbours: k; all there are where the batch has fewer.

    Returns:
        float32 [P]; 1e-6, with gradient zero, where the distances agree.
    """
    anchors, positives = split(descriptors)
    all_anchors, all_positives = split(candidates)
    neighbours = min(neighbours, all_anchors.shape[0] - 1)
    near_anchor = _nearest(anchors, all_anchors, offset // 2, neighbours)
    near_positive = _nearest(positives, all_positives, offset // 2, neighbours)
    twice = tf.reduce_any(near_positive[:, :, tf.newaxis] == near_anchor[:, tf.newaxis, :], -1)
    rows = tf.concat([near_anchor, near_positive], 1)
    counts = tf.concat([tf.ones_like(twice), ~twice], 1)
    difference = _to_rows(anchors, all_anchors, rows) - _to_rows(positives, all_positives, rows)
    squares = tf.where(counts, tf.square(difference), 0.0)
    return distances.safe_root(tf.reduce_sum(squares, 1))


def _to_rows(descriptors: tf.Tensor, others: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns float32 [P, 2k]: distances of each descriptor to its rows of `others`."""
    chosen = mining.rows_of(others, rows)
    return distances.safe_root(distances.paired_squared(descriptors[:, tf.newaxis], chosen))


def _nearest(
    rows: tf.Tensor, others: tf.Tensor, first: tf.Tensor | int, neighbours: int
) -> tf.Tensor:
    """Returns int32 [P, k]: for each row the nearest of `others`, its own one left out."""
    others = tf.stop_gradient(others)
    count = others.shape[0]

    def choose(tile: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
        own = start + tf.range(tile.shape[0])
        squares = distances.pairwise_squared(tile, others)
        same = own[:, tf.newaxis] == tf.range(count)[tf.newaxis, :]
        return tf.math.top_k(-tf.where(same, squares.dtype.max, squares), neighbours).indices

    spec = tf.TensorSpec([neighbours], tf.int32)
    return mining.by_tiles(choose, tf.stop_gradient(rows), count, first, spec)

"""Distances between descriptors, in float32 whatever the network computes in."""

from __future__ import annotations

import tensorflow as tf

_LEAST_SQUARE = 1e-12


def pairwise_squared(anchors: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Squared Euclidean distances of all pairs.

    Uses |a|^2 + |b|^2 - 2ab, one matrix product; cancellation leaves an error of about
    1e-6 of the squared norms, enough to rank pairs (their distances are computed anew by
    `paired`).

    Args:
        anchors: [..., A, D].
        candidates: [..., B, D].

    Returns:
        float32 [..., A, B], not negative.
    """
    anchors = tf.cast(anchors, tf.float32)
    candidates = tf.cast(candidates, tf.float32)
    products = tf.matmul(anchors, candidates, transpose_b=True)
    left = tf.reduce_sum(tf.square(anchors), -1)[..., :, tf.newaxis]
    right = tf.reduce_sum(tf.square(candidates), -1)[..., tf.newaxis, :]
    return tf.maximum(left + right - 2 * products, 0.0)


def paired(left: tf.Tensor, right: tf.Tensor, squared: bool) -> tf.Tensor:
    """Distance of each row of `left` to the same row of `right`.

    The square root is safe: equal rows have distance 1e-6 and gradient zero.

    Args:
        left: [A, D].
        right: [A, D].
        squared: Whether to leave the root out.

    Returns:
        float32 [A].
    """
    difference = tf.cast(left, tf.float32) - tf.cast(right, tf.float32)
    squares = tf.reduce_sum(tf.square(difference), -1)
    return squares if squared else tf.sqrt(tf.maximum(squares, _LEAST_SQUARE))

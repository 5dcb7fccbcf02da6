"""Distances between descriptors, in float32 whatever the network computes in."""

from __future__ import annotations

import tensorflow as tf

_LEAST_SQUARE = 1e-12


def pairwise_squared(anchors: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Squared Euclidean distances of all pairs.

    Uses |a|^2 + |b|^2 - 2ab, one matrix product; cancellation leaves an error of about
    1e-6 of the squared norms, enough to rank pairs (their distances are computed anew by
    `paired_squared`).

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


def ranking(anchors: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Numbers that order each anchor's candidates as their distances do.

    The squared distance without the anchor's own |a|^2, which is the same for all its
    candidates: two passes over the pairs instead of five.

    Args:
        anchors: [A, D].
        candidates: [B, D].

    Returns:
        float32 [A, B], |b|^2 - 2ab.
    """
    anchors = tf.cast(anchors, tf.float32)
    candidates = tf.cast(candidates, tf.float32)
    squares = tf.reduce_sum(tf.square(candidates), -1)
    return tf.matmul(-2 * anchors, candidates, transpose_b=True) + squares


def paired_squared(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Squared Euclidean distance of each row of `left` to the same row of `right`.

    Args:
        left: [..., D].
        right: [..., D].

    Returns:
        float32 [...], exact where rows are nearly equal.
    """
    difference = tf.cast(left, tf.float32) - tf.cast(right, tf.float32)
    return tf.reduce_sum(tf.square(difference), -1)


def safe_root(squares: tf.Tensor) -> tf.Tensor:
    """Square root, 1e-6 with gradient zero where the square is (almost) zero."""
    return tf.sqrt(tf.maximum(squares, _LEAST_SQUARE))

"""Distances between descriptors, in float32 whatever the network computes in.

Accelerators multiply float32 matrices in bfloat16 (TPU) or TF32 (GPU) unless told
otherwise, and a nearest negative chosen so is not always the nearest. There the products
are taken of high and low parts, which keeps about 16 bits more of them.
"""

from __future__ import annotations

import tensorflow as tf

_LEAST_SQUARE = 1e-12
_HIGH_BITS = 0xFFFF0000  # those of a float32 that are a bfloat16


def pairwise_squared(anchors: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Squared Euclidean distances of all pairs.

    Uses |a|^2 + |b|^2 - 2ab, one matrix product; cancellation leaves an error of about
    1e-6 of the squared norms, enough to rank pairs (their distances are computed anew by
    `paired_squared`). Not to be differentiated.

    Args:
        anchors: [..., A, D].
        candidates: [..., B, D].

    Returns:
        float32 [..., A, B], not negative.
    """
    anchors = tf.cast(anchors, tf.float32)
    candidates = tf.cast(candidates, tf.float32)
    products = _products(anchors, candidates)
    left = tf.reduce_sum(tf.square(anchors), -1)[..., :, tf.newaxis]
    right = tf.reduce_sum(tf.square(candidates), -1)[..., tf.newaxis, :]
    return tf.maximum(left + right - 2 * products, 0.0)


def ranking(anchors: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Numbers that order each anchor's candidates as their distances do.

    The squared distance without the anchor's own |a|^2, which is the same for all its
    candidates: two passes over the pairs instead of five. Not to be differentiated.

    Args:
        anchors: [A, D].
        candidates: [B, D].

    Returns:
        float32 [A, B], |b|^2 - 2ab.
    """
    anchors = tf.cast(anchors, tf.float32)
    candidates = tf.cast(candidates, tf.float32)
    squares = tf.reduce_sum(tf.square(candidates), -1)
    return _products(-2 * anchors, candidates) + squares


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


def products_of_parts(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Products of all rows, exact to about 2**-16 also where factors are rounded to bfloat16.

    Args:
        left: float32 [..., A, D].
        right: float32 [..., B, D].

    Returns:
        float32 [..., A, B].
    """
    left_high, right_high = _high(left), _high(right)
    products = tf.matmul(left_high, right_high, transpose_b=True)
    products += tf.matmul(left_high, right - right_high, transpose_b=True)
    return products + tf.matmul(left - left_high, right_high, transpose_b=True)


def _products(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    if _on_accelerator():
        return products_of_parts(left, right)
    return tf.matmul(left, right, transpose_b=True)


def _on_accelerator() -> bool:
    strategy = tf.distribute.get_strategy()
    on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    return on_tpu or bool(tf.config.list_logical_devices("GPU"))


def _high(values: tf.Tensor) -> tf.Tensor:
    """Returns the part that bfloat16 holds, cut by bits: XLA may leave out a cast and back."""
    bits = tf.bitwise.bitwise_and(tf.bitcast(values, tf.uint32), tf.constant(_HIGH_BITS, tf.uint32))
    return tf.bitcast(bits, tf.float32)

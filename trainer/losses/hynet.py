"""HyNet's two ideas: a distance between cosine and Euclidean, and a penalty on lengths.

Tian et al., "HyNet: Learning Local Descriptor with Hybrid Similarity Measure and Triplet
Loss", NeurIPS 2020. Its similarity of unit vectors, alpha cos - d for their Euclidean
distance d, is alpha - (d + alpha d^2 / 2): the hybrid distance is what is in brackets.
Near 0 it falls like d and far away like d^2, so that the gradient neither vanishes for
hard positives nor for hard negatives.
"""

from __future__ import annotations

import math

import tensorflow as tf

from trainer.losses import distances


def hybrid(distance: tf.Tensor, squares: tf.Tensor, alpha: float) -> tf.Tensor:
    """Returns d + alpha d^2 / 2 of Euclidean distances d and their squares."""
    return distance + 0.5 * alpha * squares


def euclidean_of(value: float, alpha: float) -> float:
    """Returns the Euclidean distance whose hybrid distance is `value`.

    Example:
        >>> euclidean_of(6.0, 2.0)
        2.0
    """
    return (math.sqrt(1 + 2 * alpha * value) - 1) / alpha


def length_differences(anchors: tf.Tensor, positives: tf.Tensor) -> tf.Tensor:
    """Squared difference of the lengths of a pair's vectors before they are normalised.

    The normalisation hides lengths from every distance; without the penalty they may
    drift apart and scale the gradients of the two patches differently.

    Args:
        anchors: [P, D].
        positives: [P, D].

    Returns:
        float32 [P].
    """
    return tf.square(_lengths(anchors) - _lengths(positives))


def _lengths(values: tf.Tensor) -> tf.Tensor:
    squares = tf.reduce_sum(tf.square(tf.cast(values, tf.float32)), -1)
    return distances.safe_root(squares)

"""Triplet margin loss, max(0, x): Schroff et al., "FaceNet", CVPR 2015."""

import tensorflow as tf


def cost(violation: tf.Tensor) -> tf.Tensor:
    """Returns max(0, x) of margin violations x, elementwise."""
    return tf.nn.relu(violation)

"""Squared triplet margin loss, max(0, x)^2: as in SOSNet (Tian et al., CVPR 2019)."""

import tensorflow as tf


def cost(violation: tf.Tensor) -> tf.Tensor:
    """Returns max(0, x)^2 of margin violations x, elementwise."""
    return tf.square(tf.nn.relu(violation))

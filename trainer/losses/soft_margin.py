"""Soft margin loss, ln(1 + exp(x)): Hermans et al., "In Defense of the Triplet Loss", 2017."""

import tensorflow as tf


def cost(violation: tf.Tensor) -> tf.Tensor:
    """Returns ln(1 + exp(x)) of margin violations x, elementwise."""
    return tf.math.softplus(violation)

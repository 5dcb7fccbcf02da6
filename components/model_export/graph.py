"""The network as a TensorFlow function of plain arrays, in operations that TFLite has."""

from __future__ import annotations

import tensorflow as tf

from components.core.area_resize import overlaps
from components.model_export.network import Network
from trainer.core.variants import INPUT_SIZE
from trainer.model.names import LEAST_SQUARED_NORM, OUTPUT, PATCHES_INPUT


class Graph(tf.Module):
    """The network.

    Args:
        network: What it computes.
        size: Pixels on a side of a patch.

    Attributes:
        describe: Function from uint8 `patches` [N, size, size] to a dictionary with float32
            `descriptors` [N, D].
    """

    def __init__(self, network: Network, size: int) -> None:
        super().__init__()
        self._network, self._size = network, size
        given = tf.TensorSpec([None, size, size], tf.uint8, PATCHES_INPUT)
        self.describe = tf.function(self._describe, input_signature=[given], autograph=False)

    def _describe(self, patches: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.cast(patches, tf.float32)
        if self._size != INPUT_SIZE:
            values = self._resized(values)
        values = self._normalised(tf.reshape(values, [-1, INPUT_SIZE, INPUT_SIZE, 1]))
        for convolution in self._network.convolutions:
            products = tf.nn.conv2d(values, convolution.kernel, convolution.stride, "SAME")
            values = tf.nn.relu(products + convolution.bias)
        values = tf.nn.conv2d(values, self._network.projection, 1, "VALID") + self._network.bias
        values = tf.reshape(values, [-1, self._network.dimension])
        if self._network.unit_length:
            squared = tf.reduce_sum(tf.square(values), -1, keepdims=True)
            values *= tf.math.rsqrt(tf.maximum(squared, LEAST_SQUARED_NORM))
        return {OUTPUT: values}

    def _resized(self, values: tf.Tensor) -> tf.Tensor:
        """Resizes by area and rounds; the sums are whole numbers below 2^24, so exact."""
        matrix = overlaps(self._size, INPUT_SIZE)
        for rows in (self._size, INPUT_SIZE):  # columns, then what were rows
            values = tf.matmul(tf.reshape(values, [-1, self._size]), matrix)
            values = tf.transpose(tf.reshape(values, [-1, rows, INPUT_SIZE]), [0, 2, 1])
        return tf.round(values / float(self._size**2))

    def _normalised(self, values: tf.Tensor) -> tf.Tensor:
        how = self._network.normalisation
        if how.kind == "dataset":
            return (values - how.mean) / how.deviation
        centred = values - tf.reduce_mean(values, [1, 2], keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), [1, 2], keepdims=True)
        return centred * tf.math.rsqrt(tf.maximum(variance, how.floor**2))

"""The network: convolutions with a width factor and a choice of ending.

`l2net` is that of Tian, Fan and Wu, "L2-Net", CVPR 2017, in the form of Mishchuk et al.,
"Working hard to know your neighbor's margins" (HardNet), NeurIPS 2017: every convolution
is followed by a batch norm without scale and shift and a ReLU; strides replace pooling.
`strided` goes to half the resolution in its first convolution and is wider after it: processors
compute few channels at full resolution slowly, so it learns more per minute.
"""

from __future__ import annotations

import math
import threading
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras

from trainer.core.config import FinalNormalisation, ModelConfig
from trainer.core.variants import INPUT_SIZE
from trainer.model.names import LEAST_SQUARED_NORM


class Convolution(NamedTuple):
    """A convolution: channels at width 1, side of the kernel, stride."""

    channels: int
    kernel: int
    stride: int

    def filters(self, width: float) -> int:
        """Returns the channels at a width factor."""
        return max(1, round(self.channels * width))


# An 8 x 8 convolution to the descriptor ends each network.
CONVOLUTIONS = {
    "l2net": tuple(
        Convolution(channels, 3, stride)
        for channels, stride in ((32, 1), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1))
    ),
    "strided": (
        Convolution(128, 6, 2),
        Convolution(128, 3, 1),
        Convolution(256, 3, 2),
        Convolution(256, 3, 1),
    ),
}
BATCH_NORM_EPSILON = 1e-5
# Runs are a few hundred steps long: with .99 the inference statistics would lag behind.
BATCH_NORM_MOMENTUM = 0.9
_GAIN = 0.6  # of HardNet's orthogonal initialisation


def build(
    config: ModelConfig, seed: int, *, synchronized: bool = False, bfloat16: bool = False
) -> tf_keras.Model:
    """Builds the network.

    Args:
        config: Width, dimension and final normalisation.
        seed: Seed of the initial weights.
        synchronized: Batch statistics over all replicas (needed where there are several; the
            fused kernel of a single device is faster).
        bfloat16: Convolutions in bfloat16, everything after the last one in float32.

    Returns:
        A model from normalised patches float32 [N, 32, 32, 1] to the pair (embedding,
        descriptors), both float32 [N, D]: before and after the final normalisation.
    """
    policy = "mixed_bfloat16" if bfloat16 else "float32"
    inputs = values = tf_keras.Input((INPUT_SIZE, INPUT_SIZE, 1), name="patches")
    convolutions = CONVOLUTIONS[config.network]
    for number, layer in enumerate(convolutions, start=1):
        values = tf_keras.layers.Conv2D(
            layer.filters(config.width),
            layer.kernel,
            layer.stride,
            padding="same",
            use_bias=False,
            kernel_initializer=_initializer(seed, number),
            dtype=policy,
            name=f"conv{number}",
        )(values)
        values = _batch_norm(f"norm{number}", synchronized, policy)(values)
        values = tf_keras.layers.ReLU(dtype=policy, name=f"relu{number}")(values)
    if config.dropout:
        values = SeededDropout(config.dropout, dtype=policy)(values)
    values = ConvolutionOfWholeMap(
        config.dimension,
        values.shape[1],
        use_bias=False,
        kernel_initializer=_initializer(seed, len(convolutions) + 1),
        dtype=policy,
        name=f"conv{len(convolutions) + 1}",
    )(values)
    embedding = tf_keras.layers.Flatten(dtype="float32", name="embedding")(values)
    descriptors = embedding
    if config.final_normalisation.startswith("batch_norm"):
        descriptors = _batch_norm("final_norm", synchronized, "float32")(descriptors)
    if config.final_normalisation.endswith("l2"):
        descriptors = tf_keras.layers.Lambda(l2_normalise, dtype="float32", name="l2")(descriptors)
    return tf_keras.Model(inputs, (embedding, descriptors), name="descriptor")


class ConvolutionOfWholeMap(tf_keras.layers.Conv2D):
    """A convolution whose kernel is as large as its input: one matrix product.

    As such it is computed four to five times as fast on a processor as by a convolution's
    kernels; weights and, but for rounding, results are the same.
    """

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Multiplies.

        Args:
            inputs: [N, h, h, C].
            kernel: [h, h, C, D].

        Returns:
            [N, 1, 1, D].
        """
        size, dimension = math.prod(kernel.shape[:-1]), kernel.shape[-1]
        products = tf.matmul(tf.reshape(inputs, [-1, size]), tf.reshape(kernel, [size, dimension]))
        return tf.reshape(products, [-1, 1, 1, dimension])


class SeededDropout(tf_keras.layers.Layer):
    """Dropout whose mask depends on a seed alone.

    Keras's own keeps a random state that no checkpoint holds: a run that was interrupted would
    not go on as it would have without.

    Args:
        rate: Fraction of values that is dropped.
        dtype: Mixed-precision policy of the layer.

    Attributes:
        seed: int32 [2], set before each training call (`seed_dropout`); None drops nothing.
            Replicas are traced in threads of their own, taking turns: each has its own seed.
    """

    def __init__(self, rate: float, dtype: str) -> None:
        super().__init__(name="dropout", dtype=dtype)
        self._of_thread = threading.local()
        self._rate = rate

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, as Keras copies layers by them."""
        return {"rate": self._rate, "dtype": super().get_config()["dtype"]}

    @property
    def seed(self) -> tf.Tensor | None:
        """Seed of this thread's replica."""
        return getattr(self._of_thread, "seed", None)

    @seed.setter
    def seed(self, seed: tf.Tensor | None) -> None:
        self._of_thread.seed = seed

    def call(self, values: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Drops values and scales the others up, in training only.

        Args:
            values: Any shape (here a feature map [N, 8, 8, C]), in the layer's dtype.
            training: Whether the call is one of training.
        """
        if not training or self.seed is None:
            return values
        return tf.nn.experimental.stateless_dropout(values, self._rate, self.seed)


def seed_dropout(network: tf_keras.Model, seed: tf.Tensor | None) -> None:
    """Sets the seed of the network's dropout, where it has one."""
    for layer in network.layers:
        if isinstance(layer, SeededDropout):
            layer.seed = seed


def with_lengths(network: tf_keras.Model) -> tf_keras.Model:
    """Returns the same network with a third output: the descriptors before L2, [N, D].

    Args:
        network: From `build`, with a final normalisation that ends in L2.
    """
    before = network.get_layer("l2").input
    return tf_keras.Model(network.inputs, (*network.outputs, before), name=network.name)


def on_unit_sphere(final_normalisation: FinalNormalisation) -> bool:
    """Tells whether descriptors have length 1 (their distances are then at most 2)."""
    return final_normalisation.endswith("l2")


def l2_normalise(values: tf.Tensor) -> tf.Tensor:
    """Divides every row by its length; an all-zero row stays zero; float32 [N, D].

    Args:
        values: float32 [N, D].
    """
    squared = tf.reduce_sum(tf.square(values), -1, keepdims=True)
    return values * tf.math.rsqrt(tf.maximum(squared, LEAST_SQUARED_NORM))


def _batch_norm(name: str, synchronized: bool, policy: str) -> tf_keras.layers.Layer:
    return tf_keras.layers.BatchNormalization(
        center=False,
        scale=False,
        momentum=BATCH_NORM_MOMENTUM,
        epsilon=BATCH_NORM_EPSILON,
        synchronized=synchronized,
        dtype=policy,
        name=name,
    )


def _initializer(seed: int, layer: int) -> tf_keras.initializers.Initializer:
    return tf_keras.initializers.Orthogonal(_GAIN, seed=seed * 16 + layer)

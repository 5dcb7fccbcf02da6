"""Pixels to network input: the same two functions in Transform, packing and serving.

Resizing is exact. With coordinates counted in 1/32 of a pixel, the area of every input
pixel inside an output pixel is an integer, and so are all sums; up to 256 x 256 input
pixels they stay below 2**24, which float32 holds without rounding. One division and
one rounding follow, so that every device, batch size and library gives the same bytes.
Accelerators multiply float32 in bfloat16 (TPU) or TF32 (GPU), which hold integers up to
256: the intermediate sums are therefore multiplied as a high and a low part.
"""

from __future__ import annotations

from typing import Literal

import tensorflow as tf
from pydantic import Field

from trainer.core.settings import Settings
from trainer.core.variants import INPUT_SIZE

_HIGH_PART = 256.0


def resize_area(images: tf.Tensor, size: int = INPUT_SIZE) -> tf.Tensor:
    """Resizes by area: an output pixel is the mean of the input area it covers.

    Args:
        images: uint8 or float32 [N, h, w] of integer grey levels 0..255; h and w may be
            known only when the graph runs.
        size: Pixels on a side of the result.

    Returns:
        float32 [N, size, size] of integer values 0..255 (ties round to even).
    """
    height, width = (tf.shape(images)[axis] for axis in (1, 2))
    values = tf.cast(images, tf.float32)
    if images.shape[1:] == (size, size):
        return tf.round(values)
    across = tf.matmul(tf.reshape(values, [-1, width]), _overlaps(width, size))
    across = tf.reshape(across, [-1, height, size])  # up to 255 * width: 16 bits
    down = _overlaps(height, size)
    high = tf.floor(across / _HIGH_PART)
    low = across - high * _HIGH_PART
    sums = _HIGH_PART * tf.matmul(down, high, transpose_a=True)
    sums += tf.matmul(down, low, transpose_a=True)
    resized = tf.round(sums / tf.cast(height * width, tf.float32))
    return tf.ensure_shape(resized, [None, size, size])


def _overlaps(length: tf.Tensor, size: int) -> tf.Tensor:
    """Returns float32 [length, size]: overlap of input and output pixels, 1/size of a pixel."""
    pixel = tf.range(length, dtype=tf.int32)[:, tf.newaxis] * size
    cell = tf.range(size, dtype=tf.int32)[tf.newaxis, :] * length
    overlap = tf.minimum(pixel + size, cell + length) - tf.maximum(pixel, cell)
    return tf.cast(tf.maximum(overlap, 0), tf.float32)


class Normalisation(Settings):
    """How grey levels become network input; carried by the exported model.

    Attributes:
        kind: `patch`: each patch by its own mean and deviation; `dataset`: all alike.
        mean: Mean of the training pixels, in grey levels (`dataset` only).
        deviation: Standard deviation of the training pixels, in grey levels (`dataset` only).
        floor: Minimum standard deviation to divide by, in grey levels (`patch` only); keeps flat
            patches from being amplified to noise.
    """

    kind: Literal["patch", "dataset"] = "patch"
    mean: float = 0.0
    deviation: float = Field(default=1.0, gt=0)
    floor: float = Field(default=1.0, gt=0)


def normalise(patches: tf.Tensor, how: Normalisation) -> tf.Tensor:
    """Turns patches into network input, float32 [N, 32, 32, 1].

    Args:
        patches: Any numeric type [N, 32, 32], grey levels 0..255.
        how: Normalisation to apply.
    """
    values = tf.cast(patches, tf.float32)[..., tf.newaxis]
    if how.kind == "dataset":
        return (values - how.mean) / how.deviation
    centred = values - tf.reduce_mean(values, axis=[1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axis=[1, 2], keepdims=True)
    return centred * tf.math.rsqrt(tf.maximum(variance, how.floor**2))

"""Augmentation on the device: flips and quarter turns of a point, jitter of each patch."""

from __future__ import annotations

import math

import tensorflow as tf

from trainer.core.config import JitterConfig, TrainerConfig


def augment(
    patches: tf.Tensor, patches_per_point: int, seed: tf.Tensor, config: TrainerConfig
) -> tf.Tensor:
    """Applies what the configuration asks for.

    Args:
        patches: uint8 [S*K, h, h], the K patches of a point next to each other.
        patches_per_point: K.
        seed: int32 [2]; the same seed draws the same.
        config: Settings `augment` and `jitter`.

    Returns:
        Like `patches`; float32 if they were jittered.
    """
    if config.augment:
        patches = flip_and_turn(patches, patches_per_point, seed)
    if config.jitter.enabled:
        # No step has a number below 0, so that no two draws have the same seed.
        patches = jitter(patches, tf.stack([seed[0], -1 - seed[1]]), config.jitter)
    return patches


def flip_and_turn(patches: tf.Tensor, patches_per_point: int, seed: tf.Tensor) -> tf.Tensor:
    """Applies one of the 8 symmetries of the square to all patches of each point.

    A symmetry is a horizontal flip, a vertical flip and a transposition, each done or not;
    together they make the four quarter turns and their mirror images.

    Args:
        patches: [S*K, h, h], the K patches of a point next to each other.
        patches_per_point: K.
        seed: int32 [2]; the same seed draws the same symmetries.
    """
    size = patches.shape[-1]
    grouped = tf.reshape(patches, [-1, patches_per_point, size, size])
    draws = tf.random.stateless_uniform(
        [3, tf.shape(grouped)[0], 1, 1, 1], seed, maxval=2, dtype=tf.int32
    )
    flip, flop, turn = tf.unstack(tf.cast(draws, tf.bool))
    grouped = tf.where(flip, tf.reverse(grouped, [3]), grouped)
    grouped = tf.where(flop, tf.reverse(grouped, [2]), grouped)
    grouped = tf.where(turn, tf.transpose(grouped, [0, 1, 3, 2]), grouped)
    return tf.reshape(grouped, tf.shape(patches))


def jitter(patches: tf.Tensor, seed: tf.Tensor, how: JitterConfig) -> tf.Tensor:
    """Turns, scales and shifts each patch a little, by amounts of its own, float32 [N, h, h].

    Each amount is drawn evenly between minus and plus its bound.

    Args:
        patches: Any numeric type [N, h, h].
        seed: int32 [2]; the same seed draws the same amounts.
        how: Bounds of the amounts.
    """
    draws = tf.random.stateless_uniform([4, tf.shape(patches)[0]], seed, minval=-1, maxval=1)
    angle, scale, across, down = tf.unstack(draws)
    return warp(
        patches,
        angle=angle * math.radians(how.rotation_degrees),
        scale=tf.exp(scale * how.log_scale),
        shift=tf.stack([across, down], axis=-1) * how.shift_pixels,
    )


def warp(patches: tf.Tensor, *, angle: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Turns and scales patches about their centres and shifts them, float32 [N, h, h].

    Bilinear; what lies outside is mirrored at the border. By gathering, because
    `ImageProjectiveTransformV3` has no XLA kernel and the training step must compile.

    Args:
        patches: Any numeric type [N, h, h].
        angle: float32 [N], radians, from the x axis (right) to the y axis (down).
        scale: float32 [N]; above 1 the content grows.
        shift: float32 [N, 2], pixels to the right and down.
    """
    size = patches.shape[-1]
    centre = (size - 1) / 2
    places = tf.range(size, dtype=tf.float32) - centre
    right = places[tf.newaxis, tf.newaxis, :] - shift[:, tf.newaxis, tf.newaxis, 0]
    below = places[tf.newaxis, :, tf.newaxis] - shift[:, tf.newaxis, tf.newaxis, 1]
    cosine = (tf.cos(angle) / scale)[:, tf.newaxis, tf.newaxis]
    sine = (tf.sin(angle) / scale)[:, tf.newaxis, tf.newaxis]
    x = cosine * right + sine * below + centre  # where each pixel comes from
    y = cosine * below - sine * right + centre
    left, top = tf.floor(x), tf.floor(y)
    flat = tf.reshape(patches, [-1, size * size])

    def at(row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        index = _mirrored(row, size) * size + _mirrored(column, size)
        taken = tf.gather(flat, tf.reshape(index, [-1, size * size]), batch_dims=1)
        return tf.reshape(tf.cast(taken, tf.float32), [-1, size, size])

    x, y = x - left, y - top
    upper = at(top, left) * (1 - x) + at(top, left + 1) * x
    lower = at(top + 1, left) * (1 - x) + at(top + 1, left + 1) * x
    return upper * (1 - y) + lower * y


def _mirrored(place: tf.Tensor, size: int) -> tf.Tensor:
    """Returns the pixel at a place that may lie outside: ... 1 0 | 0 1 ... n | n ..."""
    turned = tf.math.floormod(tf.cast(place, tf.int32), 2 * size)
    return tf.minimum(turned, 2 * size - 1 - turned)

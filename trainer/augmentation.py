"""Flips and quarter turns, drawn on the device: the same for all patches of a point."""

from __future__ import annotations

import tensorflow as tf


def flip_and_turn(patches: tf.Tensor, variants: int, seed: tf.Tensor) -> tf.Tensor:
    """Applies one of the 8 symmetries of the square to each patch sequence.

    A symmetry is a horizontal flip, a vertical flip and a transposition, each done or not;
    together they make the four quarter turns and their mirror images.

    Args:
        patches: [S*K, h, h], the K patches of a sequence next to each other.
        variants: K.
        seed: int32 [2]; the same seed draws the same symmetries.

    Returns:
        Like `patches`.
    """
    size = patches.shape[-1]
    grouped = tf.reshape(patches, [-1, variants, size, size])
    draws = tf.random.stateless_uniform(
        [3, tf.shape(grouped)[0], 1, 1, 1], seed, maxval=2, dtype=tf.int32
    )
    flip, flop, turn = tf.unstack(tf.cast(draws, tf.bool))
    grouped = tf.where(flip, tf.reverse(grouped, [3]), grouped)
    grouped = tf.where(flop, tf.reverse(grouped, [2]), grouped)
    grouped = tf.where(turn, tf.transpose(grouped, [0, 1, 3, 2]), grouped)
    return tf.reshape(grouped, tf.shape(patches))

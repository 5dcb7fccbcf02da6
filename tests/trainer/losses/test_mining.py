"""What ways of mining share."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.core.config import LossConfig
from trainer.losses import batch_hard, hardnet, mining, second_order
from trainer.losses.mining import by_tiles, rows_of, tile_rows


def _unit_rows(count: int) -> tf.Tensor:
    values = np.random.default_rng(0).normal(size=(count, 8))
    return tf.constant(values / np.linalg.norm(values, axis=1, keepdims=True), tf.float32)


def test_a_tile_is_the_largest_divisor_that_fits(monkeypatch):
    monkeypatch.setattr(mining, "LARGEST_TILE", 8 * 64)
    assert tile_rows(64, 64) == 8
    assert tile_rows(8, 64) == 8
    assert tile_rows(7, 100) == 1  # 5 rows would fit, but 7 has no such divisor
    assert tile_rows(3, 10_000) == 1  # a row never fits


def test_tiles_know_the_number_of_their_first_row(monkeypatch):
    monkeypatch.setattr(mining, "LARGEST_TILE", 20)
    rows = tf.reshape(tf.range(6.0), [6, 1])
    seen = []

    def choose(tile, first):
        seen.append(tile.shape[0])
        return tf.stack([tf.cast(tile[:, 0], tf.int32), first + tf.range(tile.shape[0])], 1)

    chosen = by_tiles(choose, rows, 10, 100, tf.TensorSpec([2], tf.int32))
    np.testing.assert_array_equal(chosen[:, 0], range(6))
    np.testing.assert_array_equal(chosen[:, 1], range(100, 106))
    assert set(seen) == {2}


def test_gathered_rows_have_a_dense_gradient():
    values = tf.Variable(tf.ones([3, 2]))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(rows_of(values * 1.0, tf.constant([2, 2, 0])))
    np.testing.assert_array_equal(tape.gradient(total, values), [[1, 1], [0, 0], [2, 2]])


@pytest.mark.parametrize(
    "mine",
    [
        lambda rows, offset=0: batch_hard.mine(rows, 4, rows, offset, LossConfig()),
        lambda rows, offset=0: hardnet.mine(rows, 2, rows, offset, LossConfig()),
        lambda rows, offset=0: second_order.penalties(rows, rows, offset, 3),
    ],
    ids=["batch_hard", "hardnet", "second_order"],
)
def test_tiles_of_rows_give_the_same_as_one_piece(mine, monkeypatch):
    rows = _unit_rows(64)
    whole = tf.nest.flatten(mine(rows))
    monkeypatch.setattr(mining, "LARGEST_TILE", 4 * 64)
    for tiled, wanted in zip(tf.nest.flatten(mine(rows)), whole, strict=True):
        np.testing.assert_allclose(tiled, wanted, atol=1e-6)

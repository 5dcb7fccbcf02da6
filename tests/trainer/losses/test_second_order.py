"""SOSNet's regulariser."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist

from trainer.losses import second_order

# Pairs (anchor, positive) on a line: anchors 0, 1, 10; positives 0, 3, 4.
_PAIRS = tf.constant([[0.0], [0.0], [1.0], [3.0], [10.0], [4.0]])


def _penalties(values: tf.Tensor, neighbours: int) -> tf.Tensor:
    return second_order.penalties(values, values, 0, neighbours)


def test_all_neighbours_by_hand():
    # Distances of anchors 01 1, 02 10, 12 9; of positives 01 3, 02 4, 12 1.
    expected = [math.hypot(2, 6), math.hypot(2, 8), math.hypot(6, 8)]
    np.testing.assert_allclose(_penalties(_PAIRS, 2), expected, rtol=1e-6)
    np.testing.assert_allclose(_penalties(_PAIRS, 8), expected, rtol=1e-6)  # there are but two


def test_nearest_neighbours_of_anchor_and_of_positive_by_hand():
    # 0: both have 1 nearest, which counts once. 1: anchor 0, positive 2. 2: both have 1.
    np.testing.assert_allclose(_penalties(_PAIRS, 1), [2, math.hypot(2, 8), 8], rtol=1e-6)


def test_penalties_agree_with_the_matrices():
    values = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    left, right = (cdist(part, part) for part in (values[::2], values[1::2]))
    expected = []
    for i in range(30):
        near = set(np.argsort(left[i])[1:5]) | set(np.argsort(right[i])[1:5])
        expected.append(math.sqrt(sum((left[i, j] - right[i, j]) ** 2 for j in near)))
    np.testing.assert_allclose(_penalties(tf.constant(values), 4), expected, rtol=1e-4)


def test_a_part_of_the_batch_looks_at_all_of_it():
    values = tf.constant(np.random.default_rng(1).normal(size=(24, 8)), tf.float32)
    part = second_order.penalties(values[8:16], values, 8, 3)
    np.testing.assert_allclose(part, _penalties(values, 3)[4:8], rtol=1e-6)


@pytest.mark.parametrize("values", [tf.ones([12, 4]), tf.repeat(tf.eye(6), 2, axis=0)])
def test_agreement_costs_nothing_and_has_gradient_zero(values):
    variable = tf.Variable(values)
    with tf.GradientTape() as tape:
        paid = tf.reduce_sum(_penalties(tf.identity(variable), 3))
    assert float(paid) == pytest.approx(0, abs=1e-5)
    np.testing.assert_array_equal(tape.gradient(paid, variable), tf.zeros_like(values))


def test_the_gradient_is_that_of_the_formula():
    # Two pairs: |d - e| for the anchors' distance d = 3 and the positives' e = 1, twice.
    values = tf.Variable([[0.0], [0.0], [3.0], [1.0]])
    with tf.GradientTape() as tape:
        paid = tf.reduce_sum(_penalties(tf.identity(values), 1))
    assert float(paid) == pytest.approx(4)
    np.testing.assert_allclose(tape.gradient(paid, values)[:, 0], [-2, 2, 2, -2], rtol=1e-6)

"""Batch-hard mining."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist

from trainer.core.config import LossConfig
from trainer.losses import batch_hard


def _embeddings(points: int, patches_per_point: int) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(points * patches_per_point, 8))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def _by_labels(values: np.ndarray, patches_per_point: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the hardest the slow way, from labels."""
    labels = np.arange(len(values)) // patches_per_point
    distance = cdist(values.astype(np.float64), values.astype(np.float64))
    same = labels[:, None] == labels
    return np.where(same, distance, -1).argmax(1), np.where(same, np.inf, distance).argmin(1)


@pytest.mark.parametrize(("points", "patches_per_point"), [(2, 2), (8, 4), (5, 3), (16, 2)])
def test_mining_agrees_with_labels(points, patches_per_point):
    values = _embeddings(points, patches_per_point)
    rows = tf.constant(values)
    mined = batch_hard.mine(rows, patches_per_point, rows, 0, LossConfig())
    positive, negative = _by_labels(values, patches_per_point)
    np.testing.assert_array_equal(mined.anchor, values)
    np.testing.assert_array_equal(mined.pivot, values)
    np.testing.assert_array_equal(mined.positive, values[positive])
    np.testing.assert_array_equal(mined.negative, values[negative])


def test_mining_by_hand():
    values = tf.constant([[0.0], [1.0], [3.0], [10.0]])  # points {0, 1} and {3, 10}
    mined = batch_hard.mine(values, 2, values, 0, LossConfig())
    np.testing.assert_array_equal(mined.positive[:, 0], [1, 0, 10, 3])
    np.testing.assert_array_equal(mined.negative[:, 0], [3, 3, 1, 1])


def test_equal_descriptors_of_other_points_are_negatives():
    values = tf.constant([[5.0], [6.0], [5.0], [9.0]])
    mined = batch_hard.mine(values, 2, values, 0, LossConfig())
    np.testing.assert_array_equal(mined.negative[:, 0], [5, 5, 5, 6])


def test_a_part_of_the_batch_is_mined_against_all_of_it():
    values = tf.constant(_embeddings(6, 4))
    whole = batch_hard.mine(values, 4, values, 0, LossConfig())
    part = batch_hard.mine(values[8:16], 4, values, 8, LossConfig())
    for ours, wanted in zip(part, whole, strict=True):
        np.testing.assert_array_equal(ours, wanted[8:16])


def test_the_gradient_is_that_of_the_chosen_pairs():
    values = tf.Variable([[0.0], [1.0], [3.0], [10.0]])
    with tf.GradientTape() as tape:
        rows = tf.identity(values)
        mined = batch_hard.mine(rows, 2, rows, 0, LossConfig())
        loss = tf.reduce_sum((mined.anchor - mined.positive) ** 2)
        loss -= tf.reduce_sum((mined.pivot - mined.negative) ** 2)
    # positives 2(1-0)^2 + 2(10-3)^2, negatives (3-0)^2 + 2(3-1)^2 + (10-1)^2
    expected = [[-4 + 6], [4 + 8 + 18], [-28 - 6 - 8], [28 - 18]]
    np.testing.assert_allclose(tape.gradient(loss, values), expected)

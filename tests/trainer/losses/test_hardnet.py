"""HardNet's mining."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist

from trainer.core.config import LossConfig
from trainer.losses import hardnet

# Three pairs (anchor, positive) on a line. Anchors 0, 10, 25; positives 1, 14, 12.
_PAIRS = tf.constant([[0.0], [1.0], [10.0], [14.0], [25.0], [12.0]])


def test_the_row_minimum_by_hand():
    # |anchor - other pair's positive|: 0 to 14, 12; 10 to 1, 12; 25 to 1, 14.
    mined = hardnet.mine(_PAIRS, 2, _PAIRS, 0, LossConfig(anchor_swap=False))
    np.testing.assert_array_equal(mined.anchor[:, 0], [0, 10, 25])
    np.testing.assert_array_equal(mined.positive[:, 0], [1, 14, 12])
    np.testing.assert_array_equal(mined.pivot[:, 0], [0, 10, 25])
    np.testing.assert_array_equal(mined.negative[:, 0], [12, 12, 14])


def test_the_anchor_swap_by_hand():
    # Columns, |positive - other pair's anchor|: 1 to 10 (9 < 12); 14 to 25 (11 > 2);
    # 12 to 10 (2 < 11).
    mined = hardnet.mine(_PAIRS, 2, _PAIRS, 0, LossConfig())
    np.testing.assert_array_equal(mined.pivot[:, 0], [1, 10, 12])
    np.testing.assert_array_equal(mined.negative[:, 0], [10, 12, 10])


def test_anchors_are_no_negatives_of_anchors():
    # The anchors 0 and 0.1 are nearest to each other, the positives too.
    pairs = tf.constant([[0.0], [7.0], [0.1], [7.2]])
    mined = hardnet.mine(pairs, 2, pairs, 0, LossConfig())
    np.testing.assert_allclose(mined.pivot[:, 0], [7, 0.1])
    np.testing.assert_allclose(mined.negative[:, 0], [0.1, 7])


@pytest.mark.parametrize("swap", [False, True])
def test_mining_agrees_with_the_matrix(swap):
    values = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    rows = tf.constant(values)
    mined = hardnet.mine(rows, 2, rows, 0, LossConfig(anchor_swap=swap))
    matrix = cdist(values[::2], values[1::2])
    np.fill_diagonal(matrix, np.inf)
    expected = np.minimum(matrix.min(0), matrix.min(1)) if swap else matrix.min(1)
    distance = np.linalg.norm(mined.pivot.numpy() - mined.negative.numpy(), axis=1)
    np.testing.assert_allclose(distance, expected, rtol=1e-5)


def test_a_part_of_the_batch_is_mined_against_all_of_it():
    values = tf.constant(np.random.default_rng(1).normal(size=(24, 8)), tf.float32)
    whole = hardnet.mine(values, 2, values, 0, LossConfig())
    part = hardnet.mine(values[8:16], 2, values, 8, LossConfig())
    for ours, wanted in zip(part, whole, strict=True):
        np.testing.assert_array_equal(ours, wanted[4:8])


def test_equal_descriptors_of_other_pairs_are_negatives():
    pairs = tf.constant([[5.0], [6.0], [9.0], [5.0]])
    mined = hardnet.mine(pairs, 2, pairs, 0, LossConfig())
    np.testing.assert_array_equal(mined.pivot[0], mined.negative[0])


def test_the_gradient_is_that_of_the_chosen_pairs():
    values = tf.Variable(_PAIRS)
    with tf.GradientTape() as tape:
        rows = tf.identity(values)
        mined = hardnet.mine(rows, 2, rows, 0, LossConfig())
        loss = tf.reduce_sum((mined.pivot - mined.negative) ** 2)
    # (1-10)^2 + (10-12)^2 + (12-10)^2
    np.testing.assert_allclose(tape.gradient(loss, values)[:, 0], [0, -18, 18 - 8, 0, 0, 8])

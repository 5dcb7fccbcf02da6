"""HyNet's distance and penalty."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.losses import hynet


def test_the_hybrid_distance_by_hand():
    distances = hynet.hybrid(tf.constant([0.0, 1.0, 2.0]), tf.constant([0.0, 1.0, 4.0]), alpha=3)
    np.testing.assert_allclose(distances, [0, 2.5, 8])


def test_the_hybrid_distance_is_the_papers_similarity_turned_round():
    angle, alpha = 1.1, 2.0
    distance = 2 * np.sin(angle / 2)
    similarity = alpha * np.cos(angle) - distance
    hybrid = hynet.hybrid(tf.constant(distance), tf.constant(distance**2), alpha)
    assert float(hybrid) == pytest.approx(alpha - similarity)


@pytest.mark.parametrize("distance", [0.0, 0.3, 2.0])
def test_the_euclidean_distance_comes_back(distance):
    value = distance + 0.5 * 1.5 * distance**2
    assert hynet.euclidean_of(value, 1.5) == pytest.approx(distance)


def test_length_differences_by_hand():
    anchors, positives = tf.constant([[3.0, 4.0], [1.0, 0.0]]), tf.constant([[0.0, 2.0], [0.0, 1]])
    np.testing.assert_allclose(hynet.length_differences(anchors, positives), [9, 0], atol=1e-6)


def test_length_differences_have_a_gradient_at_length_zero():
    values = tf.Variable([[0.0, 0.0]])
    with tf.GradientTape() as tape:
        paid = tf.reduce_sum(hynet.length_differences(values, tf.constant([[0.0, 2.0]])))
    assert float(paid) == pytest.approx(4, rel=1e-5)
    np.testing.assert_array_equal(tape.gradient(paid, values), [[0, 0]])


def test_half_precision_lengths_are_taken_in_float32():
    half = tf.cast(tf.constant([[1.0, 0.5]]), tf.bfloat16)
    assert hynet.length_differences(half, half).dtype == tf.float32

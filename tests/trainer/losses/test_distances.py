"""Distances between descriptors."""

import numpy as np
import tensorflow as tf
from scipy.spatial.distance import cdist

from trainer.losses import distances


def test_pairwise_distances_agree_with_scipy():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(7, 16)), rng.normal(size=(5, 16))
    squares = distances.pairwise_squared(tf.constant(left), tf.constant(right))
    np.testing.assert_allclose(squares, cdist(left, right, "sqeuclidean"), rtol=1e-5)
    values = tf.constant(np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32) * 100)
    assert float(tf.reduce_min(distances.pairwise_squared(values, values))) >= 0
    for given in (tf.constant(left), tf.cast(left, tf.bfloat16)):  # compared in float32
        assert distances.pairwise_squared(given, given).dtype == tf.float32
        assert distances.paired_squared(given, given).dtype == tf.float32


def test_blocks_are_taken_apart():
    values = tf.constant([[[0.0], [3.0]], [[1.0], [5.0]]])
    expected = [[[0, 9], [9, 0]], [[0, 16], [16, 0]]]
    np.testing.assert_array_equal(distances.pairwise_squared(values, values), expected)


def test_paired_distances_by_hand():
    left, right = tf.constant([[3.0, 4.0], [1.0, 1.0]]), tf.constant([[0.0, 0.0], [1.0, 2.0]])
    squares = distances.paired_squared(left, right)
    np.testing.assert_allclose(squares, [25, 1])
    np.testing.assert_allclose(distances.safe_root(squares), [5, 1])


def test_the_root_of_equal_rows_has_gradient_zero():
    left, right = tf.Variable([[1.0, 2.0], [0.0, 1.0]]), tf.constant([[1.0, 2.0], [0.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(distances.safe_root(distances.paired_squared(left, right)))
    np.testing.assert_allclose(tape.gradient(loss, left), [[0, 0], [0, 1]])


def test_ranking_orders_candidates_as_distances_do():
    rng = np.random.default_rng(4)
    anchors, candidates = (rng.normal(size=(n, 16)).astype(np.float32) for n in (20, 50))
    ranks = distances.ranking(tf.constant(anchors), tf.constant(candidates)).numpy()
    squares = ((anchors[:, None] - candidates[None]) ** 2).sum(axis=-1)
    np.testing.assert_allclose(ranks + (anchors**2).sum(axis=1)[:, None], squares, rtol=1e-4)
    np.testing.assert_array_equal(ranks.argsort(axis=1), squares.argsort(axis=1))


def _in_bfloat16(values: np.ndarray) -> np.ndarray:
    return tf.cast(tf.cast(values, tf.bfloat16), tf.float32).numpy()


def test_products_of_parts_survive_multiplication_in_bfloat16(monkeypatch):
    rng = np.random.default_rng(2)
    left, right = (rng.normal(size=(n, 128)).astype(np.float32) for n in (20, 30))
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    expected = left.astype(np.float64) @ right.astype(np.float64).T

    def rounded(a, b, transpose_b):
        assert transpose_b
        return tf.constant(_in_bfloat16(a) @ _in_bfloat16(b).T)

    monkeypatch.setattr(tf, "matmul", rounded)
    products = distances.products_of_parts(tf.constant(left), tf.constant(right)).numpy()
    plain = rounded(left, right, transpose_b=True).numpy()
    assert np.abs(plain - expected).max() > 50 * np.abs(products - expected).max()
    assert np.abs(products - expected).max() < 1e-5


def test_parts_are_multiplied_on_accelerators_also_when_compiled(monkeypatch):
    monkeypatch.setattr(distances, "_on_accelerator", lambda: True)
    rng = np.random.default_rng(3)
    left, right = rng.normal(size=(7, 16)), rng.normal(size=(5, 16))
    compiled = tf.function(distances.pairwise_squared, jit_compile=True)
    squares = compiled(tf.constant(left, tf.float32), tf.constant(right, tf.float32))
    np.testing.assert_allclose(squares, cdist(left, right, "sqeuclidean"), rtol=1e-4)

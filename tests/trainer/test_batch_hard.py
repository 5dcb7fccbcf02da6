"""Batch-hard mining and its losses."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist

from trainer import batch_hard
from trainer.batch_hard import BatchHardLoss, Hardest, hardest_distances
from trainer.config import LossConfig, ModelConfig


def _embeddings(sequences: int, variants: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(sequences * variants, 8))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def _by_labels(values: np.ndarray, variants: int) -> tuple[np.ndarray, np.ndarray]:
    """Hardest distances the slow way, from labels."""
    labels = np.arange(len(values)) // variants
    distance = cdist(values.astype(np.float64), values.astype(np.float64))
    same = labels[:, None] == labels
    return np.where(same, distance, -1).max(1), np.where(same, np.inf, distance).min(1)


@pytest.mark.parametrize(("sequences", "variants"), [(2, 2), (8, 4), (5, 3), (16, 2)])
@pytest.mark.parametrize("squared", [False, True])
def test_mining_agrees_with_labels(sequences, variants, squared):
    values = _embeddings(sequences, variants)
    found = hardest_distances(tf.constant(values), variants, squared=squared)
    positive, negative = _by_labels(values, variants)
    power = 2 if squared else 1
    np.testing.assert_allclose(found.positive, positive**power, rtol=1e-5)
    np.testing.assert_allclose(found.negative, negative**power, rtol=1e-5)


def test_mining_by_hand():
    values = tf.constant([[0.0], [1.0], [3.0], [10.0]])  # points {0, 1} and {3, 10}
    found = hardest_distances(values, 2, squared=False)
    np.testing.assert_allclose(found.positive, [1, 1, 7, 7])
    np.testing.assert_allclose(found.negative, [3, 2, 2, 9])


def test_tiles_of_rows_give_the_same_as_one_piece(monkeypatch):
    values = tf.constant(_embeddings(16, 4))
    whole = hardest_distances(values, 4, squared=False)
    monkeypatch.setattr(batch_hard, "_LARGEST_TILE", 8 * 64)  # 8 rows of 64 distances
    assert batch_hard._tile_rows(64, 64) == 8
    tiled = hardest_distances(values, 4, squared=False)
    np.testing.assert_array_equal(tiled.positive, whole.positive)
    np.testing.assert_array_equal(tiled.negative, whole.negative)


@pytest.mark.parametrize("replicas", [2, 4])
def test_local_anchors_against_all_candidates_sum_to_the_global_loss(replicas):
    values = tf.Variable(_embeddings(8, 3))
    loss = BatchHardLoss(soft=True, squared=False, margin=0.5, farthest=2.0)
    with tf.GradientTape() as tape:
        whole = tf.reduce_mean(loss.per_anchor(hardest_distances(values, 3, squared=False)))
    expected = tape.gradient(whole, values)
    total, gradient = 0.0, 0.0
    rows = 24 // replicas
    for replica in range(replicas):
        with tf.GradientTape() as tape:
            everything = tf.identity(values)
            local = everything[replica * rows : (replica + 1) * rows]
            found = hardest_distances(
                local, 3, squared=False, candidates=everything, offset=replica * rows
            )
            part = tf.reduce_sum(loss.per_anchor(found)) / 24
        total += part
        gradient += tf.convert_to_tensor(tape.gradient(part, values))
    assert float(total) == pytest.approx(float(whole), abs=1e-6)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_the_gradient_is_that_of_the_chosen_pairs():
    values = tf.Variable([[0.0], [1.0], [3.0], [10.0]])
    with tf.GradientTape() as tape:
        found = hardest_distances(values, 2, squared=True)
        loss = tf.reduce_sum(found.positive) - tf.reduce_sum(found.negative)
    # positives 2(1-0)^2 + 2(10-3)^2, negatives (3-0)^2 + 2(3-1)^2 + (10-1)^2
    expected = [[-4 + 6], [4 + 8 + 18], [-28 - 6 - 8], [28 - 18]]
    np.testing.assert_allclose(tape.gradient(loss, values), expected)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("squared", [False, True])
def test_a_collapsed_batch_pays_the_collapse_point_and_moves_nowhere(soft, squared):
    loss = BatchHardLoss(soft=soft, squared=squared, margin=1.2, farthest=None)
    values = tf.Variable(tf.ones([12, 4]))
    with tf.GradientTape() as tape:
        found = hardest_distances(values, 3, squared=squared)
        mean = tf.reduce_mean(loss.per_anchor(found))
    assert float(mean) == pytest.approx(loss.collapse_point, abs=1e-5)
    assert loss.share(float(mean)) == pytest.approx(1, abs=1e-5)
    gradient = tape.gradient(mean, values)
    assert np.isfinite(tf.convert_to_tensor(gradient)).all()


def test_collapse_points_and_floors_by_hand():
    config = LossConfig(name="soft_margin", margin=0)
    soft = BatchHardLoss.of(config, ModelConfig())
    assert soft.collapse_point == pytest.approx(math.log(2))
    assert soft.floor == pytest.approx(0.126928, abs=1e-6)  # softplus(-2): unit sphere
    assert BatchHardLoss.of(config, ModelConfig(final_normalisation="none")).floor == 0
    squared = BatchHardLoss.of(LossConfig(distance="squared", margin=5), ModelConfig())
    assert (squared.collapse_point, squared.floor) == (5, 1)
    assert squared.share(3) == 0.5


def test_the_length_is_that_of_the_margin():
    def length(**loss):
        return BatchHardLoss.of(LossConfig(**loss), ModelConfig()).length

    assert length(margin=0.5) == 0.5
    assert length(margin=4, distance="squared") == 2
    assert length(name="soft_margin", margin=0) == 1


def test_losses_of_single_triplets_by_hand():
    hardest = Hardest(tf.constant([0.5, 0.2]), tf.constant([0.7, 1.5]))
    hinge = BatchHardLoss(soft=False, squared=False, margin=1.0, farthest=2.0)
    np.testing.assert_allclose(hinge.per_anchor(hardest), [0.8, 0.0], atol=1e-6)
    soft = BatchHardLoss(soft=True, squared=False, margin=0.0, farthest=2.0)
    expected = [math.log1p(math.exp(-0.2)), math.log1p(math.exp(-1.3))]
    np.testing.assert_allclose(soft.per_anchor(hardest), expected, rtol=1e-6)


def test_mining_compiles_with_static_shapes():
    values = tf.constant(_embeddings(8, 4))

    @tf.function(jit_compile=True)
    def mined(embeddings):
        return hardest_distances(embeddings, 4, squared=False)

    expected = hardest_distances(values, 4, squared=False)
    for found, wanted in zip(mined(values), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)

"""The loss of a batch."""

import itertools
import math
import pkgutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from trainer.core import registry
from trainer.core.config import LossConfig, ModelConfig
from trainer.losses.loss import Loss

_NAMES = ("hinge", "squared_hinge", "soft_margin")
_DISTANCES = ("euclidean", "squared", "hybrid")
_MININGS = ("batch_hard", "hardnet")
_EVERY = tuple(itertools.product(_NAMES, _DISTANCES, _MININGS))

# Pairs on a line; see test_hardnet.py: positives at 1, 4, 13 of their anchors; hardest
# negatives 9, 2, 2 away with the anchor swap and 12, 2, 11 without.
_PAIRS = tf.constant([[0.0], [1.0], [10.0], [14.0], [25.0], [12.0]])


def _loss(final: str = "batch_norm_l2", **settings) -> Loss:
    return Loss.of(LossConfig(**settings), ModelConfig(final_normalisation=final))


def _total(loss: Loss, values: tf.Tensor, patches_per_point: int = 2, **more) -> tf.Tensor:
    units = loss.per_unit(values, patches_per_point, **more)
    return tf.reduce_sum(units.loss) / loss.units(values.shape[0])


def _unit_rows(count: int, seed: int = 0) -> tf.Tensor:
    values = np.random.default_rng(seed).normal(size=(count, 8))
    return tf.constant(values / np.linalg.norm(values, axis=1, keepdims=True), tf.float32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hinge", [0.8, 0.0]),
        ("squared_hinge", [0.64, 0.0]),
        ("soft_margin", [math.log1p(math.exp(0.8)), math.log1p(math.exp(-0.3))]),
    ],
)
def test_costs_of_single_triplets_by_hand(name, expected):
    cost = pkgutil.resolve_name(registry.LOSSES[name].place)
    np.testing.assert_allclose(cost(tf.constant([0.8, -0.3])), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("distance", "expected"), [("euclidean", 5), ("squared", 25), ("hybrid", 5 + 25 * 1.5)]
)
def test_distances_by_hand(distance, expected):
    pair = tf.constant([[3.0, 4.0], [0.0, 0.0]])
    loss = _loss("none", distance=distance, hybrid_alpha=3.0, mining="hardnet")
    both = tf.concat([pair, pair + 100.0], 0)
    np.testing.assert_allclose(loss.per_unit(both, 2).positive, [expected] * 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "collapse_point", "floor"),
    [
        ({}, 1, 0),
        ({"margin": 3}, 3, 1),  # the sphere's diameter is 2
        ({"distance": "squared", "margin": 5}, 5, 1),
        ({"distance": "hybrid", "margin": 1.2}, 1.2, 0),
        ({"distance": "hybrid", "hybrid_alpha": 1, "margin": 5}, 5, 1),
        ({"name": "squared_hinge", "margin": 1.5}, 2.25, 0),
        ({"name": "squared_hinge", "margin": 4}, 16, 4),
        ({"name": "soft_margin", "margin": 0}, math.log(2), 0.126928),
        ({"name": "soft_margin", "margin": 1}, math.log1p(math.e), math.log1p(math.exp(-1))),
        (
            {"name": "soft_margin", "margin": 0, "distance": "squared"},
            math.log(2),
            math.log1p(math.exp(-4)),
        ),
        (
            {"name": "soft_margin", "margin": 0, "distance": "hybrid"},
            math.log(2),
            math.log1p(math.exp(-6)),
        ),
    ],
)
@pytest.mark.parametrize("mining", _MININGS)
def test_collapse_points_and_floors_by_hand(settings, collapse_point, floor, mining):
    loss = _loss(mining=mining, **settings)
    assert loss.collapse_point == pytest.approx(collapse_point)
    assert loss.floor == pytest.approx(floor, abs=1e-6)
    assert loss.normalized(loss.floor) == 0
    assert loss.normalized(loss.collapse_point) == 1
    assert _loss("none", mining=mining, **settings).floor == 0


@pytest.mark.parametrize(("name", "distance", "mining"), _EVERY)
def test_no_batch_on_the_sphere_loses_less_than_the_floor(name, distance, mining):
    # Two points, their patches at opposite poles: as far apart as can be.
    poles = tf.constant([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    loss = _loss(name=name, distance=distance, mining=mining, margin=7)
    # A root of 0 is 1e-6.
    assert float(_total(loss, poles)) == pytest.approx(loss.floor, abs=1e-4)
    assert float(loss.mean_triplet(poles, 2)) == pytest.approx(loss.floor, abs=1e-4)


def test_the_normalized_loss_lies_between_floor_and_collapse_point():
    assert _loss(distance="squared", margin=5).normalized(3) == 0.5
    assert _loss(name="squared_hinge", margin=4).normalized(10) == 0.5


def test_the_distance_scale_is_that_of_the_margin():
    assert _loss(margin=0.5).distance_scale == 0.5
    assert _loss(margin=0.5, name="squared_hinge").distance_scale == 0.5
    assert _loss(margin=4, distance="squared").distance_scale == 2
    assert _loss(margin=6, distance="hybrid").distance_scale == pytest.approx(2)
    assert _loss(name="soft_margin", margin=0).distance_scale == 1
    assert _loss(name="soft_margin", margin=0, distance="hybrid").distance_scale == pytest.approx(
        0.618034
    )


@pytest.mark.parametrize(("name", "distance", "mining"), _EVERY)
def test_a_collapsed_batch_pays_the_collapse_point_and_moves_nowhere(name, distance, mining):
    loss = _loss(
        name=name,
        distance=distance,
        mining=mining,
        margin=1.2,
        second_order=1,
        norm_penalty=1,
    )
    values = tf.Variable(tf.repeat(_unit_rows(1), 12, axis=0))
    with tf.GradientTape() as tape:
        rows = tf.identity(values)
        units = loss.per_unit(rows, 2, before_l2=rows)
        mean = tf.reduce_mean(units.loss)
    assert float(tf.reduce_mean(units.triplet)) == pytest.approx(loss.collapse_point, abs=1e-6)
    assert loss.normalized(float(loss.mean_triplet(values, 2))) == pytest.approx(1, abs=1e-6)
    gradient = tape.gradient(mean, values)
    np.testing.assert_allclose(gradient, tf.zeros_like(values), atol=1e-6)


@pytest.mark.parametrize(("name", "distance", "mining"), _EVERY)
def test_a_nearly_collapsed_batch_has_finite_gradients(name, distance, mining):
    loss = _loss(name=name, distance=distance, mining=mining, second_order=1, norm_penalty=1)
    values = tf.Variable(tf.ones([12, 8]) + 1e-7 * _unit_rows(12))
    with tf.GradientTape() as tape:
        rows = tf.identity(values)
        total = _total(loss, rows, before_l2=rows)
    assert np.isfinite(tape.gradient(total, values)).all()


def test_hardnets_loss_by_hand():
    # Hinges of margin 3: 3+1-9 < 0, 3+4-2, 3+13-2.
    loss = _loss(mining="hardnet", margin=3)
    assert loss.units(6) == 3
    assert float(_total(loss, _PAIRS)) == pytest.approx((0 + 5 + 14) / 3)
    # Without the swap: 3+1-12 < 0, 3+4-2, 3+13-11.
    loss = _loss(mining="hardnet", margin=3, anchor_swap=False)
    assert float(_total(loss, _PAIRS)) == pytest.approx((0 + 5 + 5) / 3)


def test_the_batch_hard_loss_by_hand():
    # Points {0, 1} and {3, 10}: positives 1, 1, 7, 7; negatives 3, 2, 2, 9.
    values = tf.constant([[0.0], [1.0], [3.0], [10.0]])
    loss = _loss(margin=1.5)
    assert loss.units(4) == 4
    units = loss.per_unit(values, 2)
    np.testing.assert_allclose(units.loss, [0, 0.5, 6.5, 0], atol=1e-6)
    np.testing.assert_array_equal(units.loss, units.triplet)
    np.testing.assert_allclose(units.positive, [1, 1, 7, 7])
    np.testing.assert_allclose(units.negative, [3, 2, 2, 9])
    np.testing.assert_array_equal(units.violated, [0, 1, 1, 0])


@pytest.mark.parametrize("mining", _MININGS)
def test_sosnets_loss_by_hand(mining):
    # Pairs (0, 0), (3, 1): distances 3 and 1, each pair pays 2. HardNet's pairs: 1 + 0 - 1 and
    # 1 + 2 - 1 (its anchor 3 is 3, its positive 1 from the others); batch-hard, in order:
    # 1 + 0 - 1, 1 + 0 - 1, 1 + 2 - 3, 1 + 2 - 1.
    values = tf.constant([[0.0], [0.0], [3.0], [1.0]])
    loss = _loss(name="squared_hinge", mining=mining, second_order=0.5)
    units = loss.per_unit(values, 2)
    triplet = [0, 4] if mining == "hardnet" else [0, 0, 0, 4]
    np.testing.assert_allclose(units.triplet, triplet, atol=1e-4)
    np.testing.assert_allclose(units.loss, np.add(triplet, 0.5 * 2), atol=1e-4)


def test_hynets_loss_by_hand():
    # Unit vectors 60 degrees apart in pairs, the pairs opposite: d = 1 within a pair, and the
    # nearest patches of different pairs are 120 degrees apart, d = sqrt 3.
    angles = np.radians([0, 60, 180, 240])
    directions = np.stack([np.cos(angles), np.sin(angles)], 1)
    lengths = np.array([[1.0], [3.0], [2.0], [2.5]])
    loss = _loss(mining="hardnet", distance="hybrid", hybrid_alpha=2, margin=4, norm_penalty=0.1)
    units = loss.per_unit(
        tf.constant(directions, tf.float32), 2, before_l2=tf.constant(directions * lengths)
    )
    triplet = 4 + (1 + 1) - (math.sqrt(3) + 3)
    np.testing.assert_allclose(units.triplet, [triplet, triplet], rtol=1e-5)
    np.testing.assert_allclose(units.loss, [triplet + 0.1 * 4, triplet + 0.1 * 0.25], rtol=1e-5)


def test_points_of_many_patches_are_probed_by_their_first_two():
    values = tf.reshape(_unit_rows(24), [6, 4, 8])
    loss = _loss(mining="hardnet")
    expected = loss.mean_triplet(tf.reshape(values[:, :2], [12, 8]), 2)
    assert float(loss.mean_triplet(tf.reshape(values, [24, 8]), 4)) == float(expected)


@pytest.mark.parametrize("replicas", [2, 4])
@pytest.mark.parametrize("mining", _MININGS)
def test_parts_against_all_candidates_sum_to_the_global_loss(mining, replicas):
    loss = _loss(mining=mining, margin=0.7, second_order=0.3, norm_penalty=0.2)
    values = tf.Variable(_unit_rows(24))
    with tf.GradientTape() as tape:
        whole = _total(loss, tf.identity(values), before_l2=3 * values)
    expected = tape.gradient(whole, values)
    total, gradient = 0.0, 0.0
    rows = 24 // replicas
    for start in range(0, 24, rows):
        with tf.GradientTape() as tape:
            everything = tf.identity(values)
            units = loss.per_unit(
                everything[start : start + rows],
                2,
                before_l2=3 * values[start : start + rows],
                candidates=everything,
                offset=start,
            )
            part = tf.reduce_sum(units.loss) / loss.units(24)
        total += part
        gradient += tf.convert_to_tensor(tape.gradient(part, values))
    assert float(total) == pytest.approx(float(whole), abs=1e-6)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


@pytest.mark.parametrize("mining", _MININGS)
def test_half_precision_descriptors_are_compared_in_float32(mining):
    loss = _loss(mining=mining, second_order=1, norm_penalty=1)
    half = tf.cast(_unit_rows(16), tf.bfloat16)
    units = loss.per_unit(half, 2, before_l2=half)
    assert {part.dtype for part in units} == {tf.float32}
    exact = tf.cast(half, tf.float32)
    expected = loss.per_unit(exact, 2, before_l2=exact)
    np.testing.assert_array_equal(units.loss, expected.loss)


@pytest.mark.parametrize("mining", _MININGS)
def test_the_loss_compiles_with_static_shapes(mining):
    loss = _loss(mining=mining, second_order=1, norm_penalty=1)
    values = _unit_rows(32)
    compiled = tf.function(
        lambda rows: _total(loss, rows, before_l2=rows), jit_compile=True, autograph=False
    )
    expected = float(_total(loss, values, before_l2=values))
    assert float(compiled(values)) == pytest.approx(expected, rel=1e-4)


_LARGE_BATCH = """
import resource, sys
import tensorflow as tf
from trainer.core.config import LossConfig, ModelConfig
from trainer.losses.loss import Loss
patches_per_point, settings = int(sys.argv[1]), LossConfig.model_validate_json(sys.argv[2])
loss = Loss.of(settings, ModelConfig())
@tf.function(autograph=False)
def gradients(values):
    with tf.GradientTape() as tape:
        tape.watch(values)
        found = loss.per_unit(values, patches_per_point, before_l2=values)
        total = tf.reduce_sum(found.loss) / loss.units(16384)
    return tape.gradient(total, values)
values = tf.math.l2_normalize(tf.random.stateless_normal([16384, 128], [1, 2]), 1)
assert float(tf.norm(gradients(values))) > 0
print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patches_per_point", "settings"),
    [
        (4, LossConfig()),
        (2, LossConfig(mining="hardnet", second_order=1, norm_penalty=0.1)),
        (2, LossConfig(second_order=1)),
    ],
    ids=["batch_hard", "hardnet_second_order", "batch_hard_second_order"],
)
def test_a_batch_of_16384_patches_fits_in_two_gigabytes(patches_per_point, settings):
    arguments = [str(patches_per_point), settings.model_dump_json()]
    done = subprocess.run(
        [sys.executable, "-c", _LARGE_BATCH, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    peak = int(done.stdout.split("PEAK")[1])
    assert peak < 2e9

"""A network in training."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.synthetic import START, point_patches
from trainer.core.config import LossConfig, ModelConfig, StageConfig, TrainerConfig
from trainer.data import image
from trainer.data.batches import Sampler
from trainer.data.packing import PackedPatches
from trainer.engine.learner import METRICS, Learner

_STAGE = StageConfig(points_per_batch=16, patches_per_point=2)
_CONFIG = TrainerConfig(
    model=ModelConfig(width=0.125, dimension=64), stages=(_STAGE,), steps_per_loop=4
)


@pytest.fixture(scope="module")
def batches() -> np.ndarray:
    """uint8 [4, 32, 32, 32]: four batches of 16 x 2 patches that can be learned."""
    patches = np.stack([point_patches("v_a", "a", index, 32) for index in range(40)])
    column = np.zeros(40, np.int32)
    packed = PackedPatches(patches, column, column, np.arange(40), ("v_a",), ("a",), ("v",))
    sampler = Sampler(packed, 16, 2, ("e", "h", "t"), START)
    return np.stack([next(sampler) for _ in range(4)])


def _learner(config: TrainerConfig = _CONFIG) -> Learner:
    placement = tf.distribute.OneDeviceStrategy("/cpu:0")
    return Learner(config, placement, image.Normalisation(kind="patch"))


def _assert_same(arrays, expected) -> None:
    for one, other in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def traced() -> Learner:
    """One learner for all tests of the standard step, which takes seconds to trace."""
    return _learner()


@pytest.fixture
def learner(traced):
    """The traced learner as it was before its first step."""
    start = traced.snapshot()
    yield traced
    traced.restore(start)


def test_steps_lower_the_loss_and_are_traced_once(batches, learner):
    rates = np.full(4, 3e-3, np.float32)
    history = [learner.train(batches, 2, rates, 4 * block) for block in range(8)]
    assert set(history[0]) == set(METRICS)
    assert history[-1]["loss"] < history[0]["loss"] - 0.1
    assert history[-1]["hardest_positive"] < history[0]["hardest_positive"]
    assert 0 <= history[-1]["active_share"] <= 1
    assert history[-1]["triplet_loss"] == pytest.approx(history[-1]["loss"], rel=1e-6)
    assert learner.traces == 1
    learner.train(batches, 2, rates[:1], 32)  # fewer steps than the block holds
    assert learner.traces == 1
    assert learner.optimizer.iterations.numpy() == 33


def test_a_rate_of_zero_changes_no_weight(batches, learner):
    before = learner.snapshot()
    learner.train(batches, 2, np.zeros(4, np.float32), 0)
    for old, new in zip(before.model, learner.snapshot().model, strict=True):
        if old.ndim == 4:
            np.testing.assert_array_equal(old, new)


def test_a_snapshot_brings_weights_statistics_and_slots_back(batches, learner):
    rates = np.full(4, 1e-2, np.float32)
    learner.train(batches, 2, rates, 0)
    snapshot = learner.snapshot()
    first = learner.train(batches, 2, rates, 4)
    assert learner.optimizer.iterations.numpy() == 8
    learner.restore(snapshot)
    assert learner.optimizer.iterations.numpy() == 4
    again = learner.snapshot()
    _assert_same(snapshot.model + snapshot.optimizer, again.model + again.optimizer)
    assert learner.train(batches, 2, rates, 4) == pytest.approx(first, rel=1e-4)


def test_calibration_makes_inference_resemble_training(batches, learner):
    patches = batches[0]
    learner.calibrate(patches)
    inputs = image.normalise(patches, learner.normalisation)
    _, trained = learner.model(inputs, training=True)
    learner.calibrate(patches)
    _, inferred = learner.forward(patches)
    # The moving variance is the unbiased estimate, the batch's is not.
    np.testing.assert_allclose(inferred, trained, atol=0.02)


def test_the_probe_reports_the_loss_and_does_not_train(batches, learner):
    learner.calibrate(batches[0])
    before = learner.snapshot()
    seen = learner.probe(batches[0], 2)
    assert learner.probe(batches[0], 2) == seen
    expected = 1 + seen.hardest_positive - seen.hardest_negative  # all triplets are active
    assert seen.normalized_loss == pytest.approx(expected, abs=0.05)
    _assert_same(before.model, learner.snapshot().model)


def test_a_share_is_that_of_the_whole_batch_though_described_in_parts(
    batches, learner, monkeypatch
):
    learner.calibrate(batches[0])
    whole = learner.normalized_loss_on(batches[0], 2)
    assert whole == pytest.approx(learner.probe(batches[0], 2).normalized_loss, rel=1e-5)
    monkeypatch.setattr("trainer.engine.learner._PART", 12)  # not a divisor of 32
    assert learner.normalized_loss_on(batches[0], 2) == pytest.approx(whole, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("mining", ["batch_hard", "hardnet"])
def test_the_step_compiles_with_xla(mining, batches):
    rates = np.full(4, 1e-3, np.float32)
    loss = LossConfig(mining=mining, second_order=0.1, norm_penalty=0.1)
    means = [
        _learner(_CONFIG.model_copy(update={"jit_compile": jit, "loss": loss})).train(
            batches, 2, rates, 0
        )
        for jit in ("off", "on")
    ]
    assert means[1] == pytest.approx(means[0], rel=1e-3)


@pytest.mark.slow
def test_there_is_one_trace_for_each_shape_of_batch(batches):
    learner = _learner()
    rates = np.full(4, 1e-3, np.float32)
    for patches_per_point in (2, 4, 2, 4):
        learner.train(batches, patches_per_point, rates, 0)
    assert learner.traces == 2
    learner.train(batches[:, :16], 4, rates, 0)
    assert learner.traces == 3


def test_only_the_gradient_step_is_clipped(batches, learner):
    free = learner.train(batches, 2, np.full(1, 1e-3, np.float32), 0)
    clipped = _learner(_CONFIG.model_copy(update={"clip_norm": 0.5 * free["gradient_norm"]}))
    seen = clipped.train(batches, 2, np.full(1, 1e-3, np.float32), 0)
    assert seen == pytest.approx(free, rel=1e-4)  # the norm is that before clipping
    # After one step from 0 the first moments are a tenth of the gradients.
    moments = [
        [slot for slot in stepped.snapshot().optimizer if slot.ndim][::2]
        for stepped in (learner, clipped)
    ]
    for whole, halved in zip(*moments, strict=True):
        np.testing.assert_allclose(halved, 0.5 * whole, atol=1e-6, rtol=1e-3)


@pytest.mark.slow
def test_a_loss_of_pairs_is_learned_and_its_triplet_term_told_apart(batches):
    loss = LossConfig(name="squared_hinge", mining="hardnet", second_order=0.5, norm_penalty=0.05)
    learner = _learner(_CONFIG.model_copy(update={"loss": loss, "bfloat16": True}))
    rates = np.full(4, 3e-3, np.float32)
    history = [learner.train(batches, 2, rates, 4 * block) for block in range(6)]
    assert all(means["loss"] > means["triplet_loss"] + 0.01 for means in history)
    assert history[-1]["loss"] < history[0]["loss"] - 0.1
    patches = batches[:2].reshape(16, 4, 32, 32)[:, :2].reshape(32, 32, 32)
    of_four = learner.probe(batches[:2].reshape(64, 32, 32), 4)
    assert of_four.normalized_loss == pytest.approx(
        learner.probe(patches, 2).normalized_loss, rel=1e-3
    )

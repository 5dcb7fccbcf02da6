"""A loss and a miner from outside of the package: one file each, and a line in the registry."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.support.synthetic import write_examples
from tests.support.training import folders_in, small_config, small_stage
from trainer.core import registry
from trainer.core.config import LossConfig
from trainer.engine import loop
from trainer.losses import batch_hard
from trainer.losses.loss import Loss
from trainer.losses.mining import Triplets


def cost(violation: tf.Tensor) -> tf.Tensor:
    """The loss: exponential, which never vanishes."""
    return tf.exp(violation)


def mine(descriptors, patches_per_point, candidates, offset, config):
    """The miner: negatives half a batch away instead of the nearest."""
    hardest = batch_hard.mine(descriptors, patches_per_point, candidates, offset, config)
    half = candidates.shape[0] // 2
    rows = (offset + tf.range(descriptors.shape[0]) + half) % candidates.shape[0]
    return Triplets(*hardest[:3], tf.gather(candidates, rows))


@pytest.fixture
def registered(monkeypatch) -> LossConfig:
    exponential = registry.LossEntry(f"{__name__}:cost", needs_margin=False)
    monkeypatch.setitem(registry.LOSSES, "exponential", exponential)
    monkeypatch.setitem(registry.MINERS, "distant", registry.MinerEntry(f"{__name__}:mine"))
    return LossConfig(name="exponential", mining="distant", margin=0)


def test_what_the_controller_needs_follows_from_the_cost(registered):
    loss = Loss(registered)
    assert (loss.collapse_point, loss.floor) == (1, pytest.approx(math.exp(-2)))
    assert loss.distance_scale == 1
    collapsed = tf.ones([8, 4]) / 2
    assert loss.normalized(float(loss.mean_triplet(collapsed, 2))) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_they_train_a_descriptor_to_a_score(registered, tmp_path):
    write_examples(
        tmp_path / "data",
        {"train": {"i_a": ("a", 12), "v_b": ("b", 12)}, "val": {"v_c": ("c", 10)}},
    )
    config = small_config(small_stage(steps=6), loss=registered)
    result = loop.train(config, str(tmp_path / "data"), None, folders_in(tmp_path))
    assert (result.steps, result.gave_up) == (6, False)
    assert 0 < result.validation["mean"] <= 1
    assert np.isfinite(result.validation["mean"])


@pytest.mark.parametrize(("key", "known"), [("name", "soft_margin"), ("mining", "batch_hard")])
def test_unknown_names_are_refused_with_the_known_ones(key, known):
    with pytest.raises(ValueError, match=f"expected one of .*{known}"):
        LossConfig.model_validate({key: "unknown"})

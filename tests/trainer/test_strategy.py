"""Where a run computes."""

import pytest
import tensorflow as tf

from trainer import strategy
from trainer.config import StageConfig, TrainerConfig
from trainer.errors import UserError


@pytest.mark.parametrize("name", ["auto", "one_device"])
def test_without_accelerators_one_device_computes(name):
    placement = strategy.create(TrainerConfig(strategy=name))
    assert isinstance(placement, tf.distribute.OneDeviceStrategy)
    assert placement.num_replicas_in_sync == 1


def test_an_absent_tpu_is_a_users_error():
    with pytest.raises(UserError, match="no TPU answers"):
        strategy.create(TrainerConfig(strategy="tpu", tpu="local"))


def test_batches_must_divide_among_the_replicas():
    config = TrainerConfig(stages=(StageConfig(sequences_per_batch=10),))
    strategy.check_divisible(config, 5)
    with pytest.raises(UserError, match=r"stages\.0\.sequences_per_batch is 10.*multiple of 4"):
        strategy.check_divisible(config, 4)


def test_xla_is_left_off_on_cpu_unless_asked_for():
    placement = tf.distribute.OneDeviceStrategy("/cpu:0")
    assert not strategy.compiles_with_xla(TrainerConfig(), placement)
    assert strategy.compiles_with_xla(TrainerConfig(jit_compile="on"), placement)
    assert not strategy.compiles_with_xla(TrainerConfig(jit_compile="off"), placement)

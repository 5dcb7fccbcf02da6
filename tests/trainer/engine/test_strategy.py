"""Where a run computes."""

import pytest
import tensorflow as tf

from trainer.core.config import StageConfig, TrainerConfig
from trainer.core.errors import UserError
from trainer.engine import strategy


@pytest.mark.parametrize("name", ["auto", "one_device"])
def test_without_accelerators_one_device_computes(name):
    placement = strategy.create(TrainerConfig(strategy=name))
    assert isinstance(placement, tf.distribute.OneDeviceStrategy)
    assert placement.num_replicas_in_sync == 1


@pytest.fixture
def fake_tpu(monkeypatch) -> list[str]:
    """Has every TPU answer; returns the addresses asked for and what was done to reach them."""
    asked: list[str] = []

    def resolver(tpu: str) -> str:
        asked.append(tpu)
        return tpu

    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", resolver)
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", lambda _: None)
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", lambda _: None)
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda resolved: f"tpu at {resolved!r}")
    return asked


@pytest.mark.parametrize(
    ("named", "offered", "address"),
    [(None, "local", "local"), (None, "environment", ""), ("mine", "local", "mine")],
    ids=["on a VM", "by name", "the one that is named first"],
)
def test_auto_takes_the_tpu_that_the_machine_offers(fake_tpu, named, offered, address):
    assert strategy.create(TrainerConfig(tpu=named), lambda: offered) == f"tpu at {address!r}"
    assert fake_tpu == [address]


def test_one_device_leaves_an_offered_tpu_alone(fake_tpu):
    placement = strategy.create(TrainerConfig(strategy="one_device"), lambda: "local")
    assert isinstance(placement, tf.distribute.OneDeviceStrategy)
    assert fake_tpu == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"TPU_NAME": ""}, None),
        ({"TPU_NAME": "mine"}, "environment"),
        ({"TPU_NAME": "local"}, "local"),
        ({"TPU_CONFIG": "{}"}, "environment"),
        ({"KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS": "grpc://10.0.0.2:8470"}, "environment"),
    ],
)
def test_the_environment_offers_a_tpu_as_tensorflow_understands_it(tmp_path, environment, expected):
    assert strategy.offered_tpu(environment, tmp_path, lambda: True) == expected


@pytest.mark.parametrize(
    ("device", "offered"),
    [("accel0", "local"), ("vfio/0", "local"), ("accel/accel0", None), ("vfio/vfio", None)],
)
def test_the_chips_of_a_tpu_vm_count_beside_the_library(tmp_path, device, offered):
    (tmp_path / device).parent.mkdir(exist_ok=True)
    (tmp_path / device).touch()
    assert strategy.offered_tpu({}, tmp_path, lambda: True) == offered
    assert strategy.offered_tpu({}, tmp_path, lambda: False) is None


def test_an_offered_tpu_that_does_not_answer_is_a_users_error():
    with pytest.raises(UserError, match=r"strategy is auto and this machine offers tpu 'local', b"):
        strategy.create(TrainerConfig(), lambda: "local")


def test_an_absent_tpu_is_a_users_error():
    with pytest.raises(UserError, match=r"^tpu is 'local', but no TPU answers") as caught:
        strategy.create(TrainerConfig(strategy="tpu", tpu="local"))
    assert "node" not in str(caught.value)


def test_batches_must_divide_among_the_replicas():
    config = TrainerConfig(stages=(StageConfig(points_per_batch=10),))
    strategy.check_divisible(config, 5)
    with pytest.raises(UserError, match=r"stages\.0\.points_per_batch is 10.*multiple of 4"):
        strategy.check_divisible(config, 4)


def test_xla_is_left_off_on_cpu_unless_asked_for():
    placement = tf.distribute.OneDeviceStrategy("/cpu:0")
    assert not strategy.compiles_with_xla(TrainerConfig(), placement)
    assert strategy.compiles_with_xla(TrainerConfig(jit_compile="on"), placement)
    assert not strategy.compiles_with_xla(TrainerConfig(jit_compile="off"), placement)

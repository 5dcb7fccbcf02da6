"""What a plan has to fit."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import tensorflow as tf

from tests.support.synthetic import packed, write_examples
from trainer.core.config import ModelConfig, TrainerConfig
from trainer.core.errors import UserError
from trainer.engine import resources, strategy

_PEAK_OF_A_STEP = """
import sys
import numpy as np
from trainer.data import image
from trainer.engine import strategy
from trainer.core.config import ModelConfig, TrainerConfig
from trainer.engine.learner import Learner

def peak():
    status = open("/proc/self/status").read()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

config = TrainerConfig(model=ModelConfig(width=float(sys.argv[1])), steps_per_loop=1)
learner = Learner(config, strategy.create(config), image.Normalisation())
peaks = []
for points in (4, int(sys.argv[2])):
    batch = np.random.default_rng(0).integers(0, 256, (1, points * 4, 32, 32), dtype=np.uint8)
    for step in range(2):
        learner.train(batch, 4, np.full(1, 1e-3, np.float32), step)
    peaks.append(peak())
print((peaks[1] - peaks[0]) / (4 * int(sys.argv[2])))
"""


@pytest.fixture
def listing(tmp_path):
    splits = {"train": {"i_a": ("a", 5), "v_a": ("a", 3), "v_b": ("b", 2)}}
    return write_examples(tmp_path, splits)


def test_data_and_devices_are_measured(listing):
    config = TrainerConfig(stages="auto")
    here = resources.measure(config, listing, strategy.create(config))
    assert here.points == 10
    assert here.largest_batch == 7  # one image sequence of each scene
    assert (here.device, here.replicas) == ("cpu", 1)
    assert here.memory == resources.host_memory()
    assert here.patch_bytes == resources.patch_bytes(config)
    # Replicas on a host share its memory.
    four = resources.measure(config, listing, SimpleNamespace(num_replicas_in_sync=4))
    assert (four.replicas, four.memory) == (4, resources.host_memory() // 4)
    nothing = listing.model_copy(update={"splits": {**listing.splits, "train": ()}})
    with pytest.raises(UserError, match="train split holds no point"):
        resources.measure(config, nothing, strategy.create(config))


def test_patch_bytes_by_hand():
    # Width 1: values of 32 x 32 x 32, twice; 16 x 16 x 64, twice; 8 x 8 x 128, twice.
    values = 2 * (32_768 + 16_384 + 8_192)
    batches = 2 * 10 * 1024
    full = ModelConfig(network="l2net", width=1)
    config = TrainerConfig(model=full)
    assert resources.patch_bytes(config) == 4 * (2 * values + 2 * 32_768) + batches
    half = TrainerConfig(model=full, bfloat16=True, steps_per_loop=20)
    assert resources.patch_bytes(half) == 2 * (2 * values + 2 * 32_768) + 2 * batches


def test_a_containers_limit_counts(tmp_path, monkeypatch):
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    second, first = tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes"
    monkeypatch.setattr(resources, "_LIMIT_FILES", (str(second), str(first)))
    assert resources.host_memory() == machine
    second.write_text("max\n")
    assert resources.host_memory() == machine
    second.write_text("123456\n")
    assert resources.host_memory() == 123456
    second.unlink()
    first.write_text("9223372036854771712\n")  # version 1 has no word for "no limit"
    assert resources.host_memory() == machine


def test_an_accelerator_that_does_not_tell_its_memory_is_taken_for_a_small_one():
    assert not tf.config.list_logical_devices("TPU")
    assert resources.accelerator_memory("tpu") == 8 * 2**30


@pytest.mark.slow
@pytest.mark.parametrize(("width", "points"), [(0.25, 256), (1.0, 96)])
def test_the_estimate_is_near_what_a_step_takes(width, points):
    arguments = [sys.executable, "-c", _PEAK_OF_A_STEP, str(width), str(points)]
    measured = float(subprocess.run(arguments, capture_output=True, check=True).stdout)
    config = TrainerConfig(model=ModelConfig(width=width), steps_per_loop=1)
    assert 0.7 < resources.patch_bytes(config) / measured < 1.5


@pytest.mark.parametrize(
    ("kind", "spare", "there"),
    [("tpu", 0, True), ("tpu", -1, False), ("gpu", 0, False), ("cpu", 0, False)],
)
def test_patches_lie_in_a_tpu_that_has_room_for_them(kind, spare, there, monkeypatch):
    data = packed([3], [0])
    monkeypatch.setattr(resources, "device_kind", lambda _: kind)
    monkeypatch.setattr(resources, "accelerator_memory", lambda _: 8 * data.patches.nbytes + spare)
    resident = resources.resident(data, tf.distribute.OneDeviceStrategy("/cpu:0"))
    assert (resident is not None) == there

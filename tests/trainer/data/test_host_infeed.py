"""Batches drawn by several hosts, each from its share of the data."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from trainer.core.config import StageConfig
from trainer.core.errors import UserError
from trainer.data import manifest, packing
from trainer.data.batches import Sampler, SamplerState
from trainer.data.host_infeed import HostInfeed, HostPatches, host_seed, share_out
from trainer.data.manifest import SequenceEntry

SPLITS = {
    "train": {"i_a": ("a", 3), "v_a": ("a", 4), "v_b": ("b", 6), "v_c": ("c", 5), "v_d": ("d", 4)}
}
_STAGE = StageConfig(points_per_batch=8, patches_per_point=2)
_STATE = SamplerState(seed=1)


class _TwoHosts:
    """A strategy of two hosts with two replicas each, as far as the infeed asks."""

    num_replicas_in_sync = 4

    def distribute_datasets_from_function(self, function):
        contexts = [tf.distribute.InputContext(2, host, 4) for host in range(2)]
        return zip(*(function(context).batch(2) for context in contexts), strict=True)


@pytest.fixture(scope="module")
def entries(examples):
    return manifest.read(examples).splits["train"]


@pytest.fixture(scope="module")
def patches(examples, entries):
    return HostPatches(examples, entries, hosts=2)


def _entries(**counts: tuple[str, int]) -> list[SequenceEntry]:
    return [
        SequenceEntry(name=name, scene=scene, kind="v", count=count, shards=(), checksum="")
        for name, (scene, count) in counts.items()
    ]


def test_whole_scenes_are_dealt_out_evenly():
    entries = _entries(a1=("a", 30), a2=("a", 30), b=("b", 50), c=("c", 40), d=("d", 20))
    shares = share_out(entries, 2)
    assert [[entry.name for entry in share] for share in shares] == [["a1", "a2", "d"], ["b", "c"]]
    assert share_out(entries[::-1], 2) == shares


def test_more_hosts_than_scenes_are_refused():
    with pytest.raises(UserError, match="1 scenes for 2 hosts"):
        share_out(_entries(a1=("a", 3), a2=("a", 3)), 2)


def test_a_share_that_cannot_fill_its_part_of_a_batch_is_refused(patches):
    stage = _STAGE.model_copy(update={"points_per_batch": 24})
    with pytest.raises(UserError, match="points_per_batch is 12"):
        HostInfeed(_TwoHosts(), patches, stage, 2, _STATE)


def test_hosts_read_what_one_machine_packs(examples, patches, tmp_path):
    packed = packing.pack(examples, "train", None, str(tmp_path))
    for host, share in enumerate(patches.shares):
        rows = [packed.sequences.index(name) for name in share.sequences]
        expected = np.concatenate([packed.patches[packed.sequence == row] for row in rows])
        np.testing.assert_array_equal(
            patches.pixels(host), expected.reshape(-1, *expected.shape[2:])
        )


def test_a_batch_is_what_the_hosts_samplers_draw_and_no_scene_is_on_both(patches):
    assert not set(patches.shares[0].scenes) & set(patches.shares[1].scenes)
    samplers = [
        Sampler(share, 4, 2, _STAGE.noises, SamplerState(host_seed(_STATE, host)))
        for host, share in enumerate(patches.shares)
    ]
    with HostInfeed(_TwoHosts(), patches, _STAGE, 3, _STATE) as infeed:
        for _ in range(70):  # more than are sent at a time
            block = infeed.take(3, ahead=3)
            for place in range(3):
                for host, sampler in enumerate(samplers):
                    points, variants = sampler.draw()
                    pixels = patches.pixels(host).numpy().reshape(-1, 16, 32, 32)
                    expected = pixels[points[:, None], variants].reshape(2, 4, 32, 32)
                    np.testing.assert_array_equal(block[host][:, place], expected)
    assert infeed.state == replace(_STATE, position=210)


def test_a_stage_goes_on_where_it_was_and_after_a_short_block(patches):
    def first_batches(infeed: HostInfeed, steps: list[int]) -> list[np.ndarray]:
        with infeed:
            blocks = [np.concatenate(infeed.take(count, 0)) for count in steps]
        return [
            block[:, place] for block, n in zip(blocks, steps, strict=True) for place in range(n)
        ]

    def infeed(state: SamplerState) -> HostInfeed:
        return HostInfeed(_TwoHosts(), patches, _STAGE, 3, state)

    expected = first_batches(infeed(_STATE), [3, 3, 3])
    np.testing.assert_array_equal(first_batches(infeed(_STATE), [3, 1, 2, 3]), expected)
    resumed = first_batches(infeed(replace(_STATE, position=4)), [3, 2])
    np.testing.assert_array_equal(resumed, expected[4:])
    other = first_batches(infeed(SamplerState(1, epoch=1)), [3, 3, 3])
    assert not np.array_equal(other, expected)


def test_shards_with_other_than_the_listed_records_are_refused(examples, entries):
    listed = [entry.model_copy(update={"count": entry.count + 1}) for entry in entries]
    patches = HostPatches(examples, listed, hosts=1)
    with pytest.raises(UserError, match=r"22 records were found in 5 shards where.*lists 27"):
        patches.pixels(0)


_ON_TWO_REPLICAS = """
import sys
import numpy as np, tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
two = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
tf.config.set_logical_device_configuration(cpus[0], two)
from trainer.data import image, manifest
from trainer.data.batches import SamplerState
from trainer.core.config import TrainerConfig
from trainer.data.host_infeed import HostInfeed, HostPatches
from trainer.engine.learner import Learner
from trainer.engine.strategy import create

config = TrainerConfig(
    strategy="mirrored",
    model=dict(width=0.125, dimension=64),
    stages=[dict(points_per_batch=8, patches_per_point=2)],
)
placement = create(config)
entries = manifest.read(sys.argv[1]).splits["train"]
patches = HostPatches(sys.argv[1], entries, hosts=1)
rates = np.full(3, 1e-3, np.float32)
ends = []
for by_replica in (True, False):
    learner = Learner(config, placement, image.Normalisation())
    with HostInfeed(placement, patches, config.stages[0], 3, SamplerState(1)) as infeed:
        for block in range(3):
            batches = infeed.take(3, 3)
            if not by_replica:
                parts = placement.experimental_local_results(batches)
                batches = np.concatenate([part.numpy() for part in parts], axis=1)
            metrics = learner.train(batches, 2, rates, 3 * block)
    assert learner.traces == 1
    ends.append((metrics, learner.snapshot().model))
assert np.isfinite(ends[0][0]["loss"])
for left, right in zip(ends[0][1], ends[1][1]):
    np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)
"""


@pytest.mark.slow
def test_the_learner_takes_the_replicas_parts(examples):
    _run(_ON_TWO_REPLICAS, examples)


_ON_ANOTHER_PROCESS = """
import subprocess, sys
import numpy as np, tensorflow as tf
from trainer.data import manifest
from trainer.data.batches import SamplerState
from trainer.core.config import StageConfig
from trainer.data.host_infeed import HostInfeed, HostPatches

server = subprocess.Popen([sys.executable, "-c", '''
import tensorflow as tf
server = tf.distribute.Server({"worker": ["localhost:0"]}, job_name="worker", task_index=0)
print(server.target, flush=True)
server.join()
'''], stdout=subprocess.PIPE, text=True)
try:
    address = server.stdout.readline().strip().removeprefix("grpc://")
    tf.config.experimental_connect_to_host(address, job_name="worker")

    class Remote:
        num_replicas_in_sync = 1

        def distribute_datasets_from_function(self, function):
            with tf.device("/job:worker/task:0/device:CPU:0"):
                return function(tf.distribute.InputContext(1, 0, 1))

    entries = manifest.read(sys.argv[1]).splits["train"]
    stage = StageConfig(points_per_batch=8, patches_per_point=2)
    found = []
    for strategy in (Remote(), tf.distribute.OneDeviceStrategy("/cpu:0")):
        patches = HostPatches(sys.argv[1], entries, hosts=1)
        with HostInfeed(strategy, patches, stage, 3, SamplerState(1)) as infeed:
            found.append([infeed.take(3, 3) for _ in range(4)])
        print(patches.pixels(0).device)
    assert "worker" in found[0][0].device
    np.testing.assert_array_equal(*(np.array([part.numpy() for part in one]) for one in found))
finally:
    server.kill()
"""


@pytest.mark.slow
def test_a_host_of_another_process_does_its_part(examples):
    _run(_ON_ANOTHER_PROCESS, examples)


def _run(program: str, argument: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program, argument], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout

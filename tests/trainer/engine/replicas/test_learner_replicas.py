"""Several replicas learn what one device learns."""

import subprocess
import sys

import pytest

_DEVICES = """
import itertools, sys
import numpy as np, tensorflow as tf
replicas = int(sys.argv[1])
devices = [tf.config.LogicalDeviceConfiguration() for _ in range(replicas)]
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
from trainer.data import image
from trainer.core.config import LossConfig, ModelConfig, TrainerConfig
from trainer.engine.learner import Learner, gathered
from trainer.losses.loss import Loss
from trainer.engine.strategy import create
"""

# Every loss and mining, and what is added to them, on embeddings alone.
_LOSSES = """
parts = itertools.product(
    ("hinge", "squared_hinge", "soft_margin"),
    ("euclidean", "squared", "hybrid"),
    ("batch_hard", "hardnet"),
)
losses = [
    LossConfig(name=name, distance=distance, mining=mining) for name, distance, mining in parts
]
losses.append(LossConfig(mining="hardnet", anchor_swap=False))
for mining in ("batch_hard", "hardnet"):
    losses.append(LossConfig(mining=mining, second_order=1.0, norm_penalty=0.1))
losses = [Loss.of(loss, ModelConfig()) for loss in losses]
values = np.random.default_rng(0).normal(size=(64, 16)).astype(np.float32)

def on_replica(local):
    found = []
    for loss in losses:
        with tf.GradientTape() as tape:
            tape.watch(local)
            descriptors = tf.math.l2_normalize(local, 1)
            candidates, offset = gathered(descriptors)
            units = loss.per_unit(
                descriptors, 2, before_l2=local, candidates=candidates, offset=offset
            )
            part = tf.reduce_sum(units.loss) / loss.units(candidates.shape[0])
        found.append((part, tape.gradient(part, local)))
    return found

def results(placement):
    count = placement.num_replicas_in_sync
    rows = 64 // count
    def local(context):
        start = context.replica_id_in_sync_group * rows
        return tf.constant(values[start : start + rows])
    if count == 1:
        return [(float(loss), gradient.numpy()) for loss, gradient in step(tf.constant(values))]
    dealt = placement.experimental_distribute_values_from_function(local)
    run = tf.function(lambda given: placement.run(on_replica, (given,)), autograph=False)
    found = []
    for loss, gradient in run(dealt):
        rows_of = placement.experimental_local_results(gradient)
        total = sum(map(float, placement.experimental_local_results(loss)))
        found.append((total, np.concatenate([part.numpy() for part in rows_of])))
    return found

step = tf.function(on_replica, autograph=False)
placement = create(TrainerConfig(strategy="mirrored"))
assert placement.num_replicas_in_sync == replicas
alone = results(tf.distribute.OneDeviceStrategy("/cpu:0"))
together = results(placement)
assert len(alone) == len(together) == 21
for loss, (left, left_gradient), (right, right_gradient) in zip(losses, alone, together):
    assert left > 0 and np.abs(left_gradient).max() > 1e-3, loss
    assert abs(left - right) < 1e-5, (loss, left, right)
    assert np.abs(left_gradient - right_gradient).max() < 1e-5, loss
"""

# Whole steps, batch norms synchronised, dropout off; in the second case the gradients are
# clipped, which must happen to their sum over the replicas. Rounding now and then turns an
# activation at zero on or off, which changes the gradients of the layers before it by up
# to some hundredths: most of the batches must be free of that.
_STEPS = """
rng = np.random.default_rng(0)
everything = dict(mining="hardnet", distance="hybrid", second_order=1.0, norm_penalty=0.1)
for more in ({}, dict(loss=everything, clip_norm=0.01)):
    learners = []
    for name in ("one_device", "mirrored"):
        config = TrainerConfig(
            strategy=name,
            augment=False,
            model=dict(width=0.125, dimension=64),
            stages=[dict(points_per_batch=16, patches_per_point=2)],
            **more,
        )
        learner = Learner(config, create(config), image.Normalisation(kind="patch"))
        learners.append((learner, learner.snapshot()))
    assert [learner.replicas for learner, _ in learners] == [1, replicas]
    errors = []
    for batch in range(5):
        patches = rng.integers(0, 256, (1, 32, 32, 32), dtype=np.uint8)
        metrics, gradients = [], []
        for learner, start in learners:
            learner.restore(start)
            metrics.append(learner.train(patches, 2, np.full(1, 1e-3, np.float32), 0))
            # After one step from 0 the first moments are a tenth of the gradients applied.
            slots = [slot for slot in learner.snapshot().optimizer if slot.ndim]
            gradients.append([10 * moment for moment in slots[::2]])
        alone, together = metrics
        for name in ("loss", "triplet_loss", "hardest_positive", "hardest_negative"):
            assert abs(alone[name] - together[name]) <= 1e-5 * alone[name], (name, metrics)
        norms = [np.linalg.norm([np.linalg.norm(g) for g in found]) for found in gradients]
        for norm, seen in zip(norms, metrics):
            expected = more.get("clip_norm", seen["gradient_norm"])
            assert expected <= seen["gradient_norm"]
            assert abs(norm - expected) < 1e-3 * expected, (norm, seen)
        pairs = list(zip(*gradients))
        assert len(pairs) == 5
        errors.append(max(np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in pairs))
    print("errors of gradients", errors)
    assert max(errors) < 0.1 and np.median(errors) < 1e-3, errors
    learner.calibrate(patches[0])  # the last one's, on all replicas
    learner.restore(learner.snapshot())
    assert np.isfinite(learner.forward(patches[0])[1]).all()
"""

# Patches sent, and rows of patches that lie in each replica's memory.
_RESIDENT = """
from types import SimpleNamespace
from trainer.data.resident_patches import ResidentPatches
rng = np.random.default_rng(0)
data = SimpleNamespace(patches=rng.integers(0, 256, (50, 16, 32, 32), dtype=np.uint8))
rows = rng.integers(0, 800, (3, 32), dtype=np.int32)
config = TrainerConfig(
    strategy="mirrored",
    model=dict(width=0.125, dimension=64),
    stages=[dict(points_per_batch=16, patches_per_point=2)],
)
ends = []
for batches in (data.patches.reshape(-1, 32, 32)[rows], rows):
    placement = create(config)
    resident = ResidentPatches(data, placement)
    resident = resident if batches.dtype == np.int32 else None
    learner = Learner(config, placement, image.Normalisation(kind="patch"), resident)
    metrics = learner.train(batches, 2, np.full(3, 1e-3, np.float32), 0)
    ends.append((metrics, learner.snapshot().model))
assert ends[0][0] == ends[1][0], ends
assert ends[0][0]["gradient_norm"] > 0
for sent, gathered_there in zip(ends[0][1], ends[1][1]):
    np.testing.assert_array_equal(sent, gathered_there)
"""


def _run_on(replicas: int, script: str) -> None:
    command = [sys.executable, "-c", _DEVICES + script, str(replicas)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2, 4])
def test_every_loss_and_its_gradients_are_those_of_one_device(replicas):
    _run_on(replicas, _LOSSES)


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2, 4])
def test_replicas_take_the_same_step_as_one_device(replicas):
    _run_on(replicas, _STEPS)


@pytest.mark.slow
def test_replicas_gather_the_rows_of_their_own_points():
    _run_on(2, _RESIDENT)

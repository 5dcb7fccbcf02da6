"""Checkpoints on disk."""

import numpy as np
import pytest
import tensorflow as tf

from trainer import image
from trainer.checkpoints import CheckpointStore
from trainer.config import ModelConfig, StageConfig, TrainerConfig
from trainer.learner import Learner

_CONFIG = TrainerConfig(
    model=ModelConfig(width=0.05, dimension=64), stages=(StageConfig(sequences_per_batch=4),)
)


@pytest.fixture(scope="module")
def learner() -> Learner:
    placement = tf.distribute.OneDeviceStrategy("/cpu:0")
    return Learner(_CONFIG, placement, image.Normalisation(kind="patch"))


def _set(learner: Learner, value: float) -> None:
    for variable in (*learner.model.variables, *learner.optimizer.variables):
        variable.assign(tf.cast(tf.fill(variable.shape, value), variable.dtype))


def _values(learner: Learner) -> set[float]:
    snapshot = learner.snapshot()
    return {float(value) for array in snapshot.model + snapshot.optimizer for value in array.flat}


def test_the_newest_checkpoint_is_restored_with_its_state(learner, tmp_path):
    store = CheckpointStore(str(tmp_path))
    assert store.restore(learner) is None
    for step in (5, 10):
        _set(learner, step)
        store.save(learner, step, {"step": step, "sampler": {"epoch": 1}})
    _set(learner, 0)
    assert store.restore(learner) == {"step": 10, "sampler": {"epoch": 1}}
    assert _values(learner) == {10.0}


def test_old_checkpoints_are_removed(learner, tmp_path):
    store = CheckpointStore(str(tmp_path), keep=2)
    for step in range(4):
        store.save(learner, step, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]


def test_a_checkpoint_without_its_mark_is_not_taken_for_good(learner, tmp_path):
    store = CheckpointStore(str(tmp_path))
    _set(learner, 1)
    store.save(learner, 1, {"step": 1})
    _set(learner, 2)
    unfinished = store.save(learner, 2, {"step": 2})
    tf.io.gfile.remove(unfinished + "/state.json")
    (tmp_path / "step-00000003.tmp").mkdir()
    assert store.restore(learner) == {"step": 1}
    assert _values(learner) == {1.0}


def test_a_step_is_written_again_over_an_unfinished_one(learner, tmp_path):
    (tmp_path / "step-00000002.tmp").mkdir()
    (tmp_path / "step-00000002").mkdir()
    store = CheckpointStore(str(tmp_path))
    _set(learner, 2)
    store.save(learner, 2, {"step": 2})
    assert store.restore(learner) == {"step": 2}
    assert not np.isnan(list(_values(learner))).any()

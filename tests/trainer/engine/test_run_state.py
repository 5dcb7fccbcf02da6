"""What a run keeps, there and back through a checkpoint."""

import dataclasses
import math

import numpy as np

from trainer.core.config import StageConfig
from trainer.curriculum.probe import ProbeSignals
from trainer.curriculum.stages import ControllerState
from trainer.data.batches import SamplerState
from trainer.engine.checkpoints import CheckpointStore
from trainer.engine.learner import Snapshot
from trainer.engine.run_state import Best, RunState

_SIGNALS = ProbeSignals(**{field.name: 0.1 for field in dataclasses.fields(ProbeSignals)})


def _snapshot(value: float) -> Snapshot:
    return Snapshot((np.full(3, value, np.float32),), (np.int64(value),))


def _state() -> RunState:
    plan = (StageConfig(learning_rate=0.1 / 3, noises=("t",)), StageConfig(promote_below=0.7))
    controller = ControllerState(
        plan,
        _SIGNALS,
        healthy_distance=1 / 3,
        stage=1,
        step=40,
        stage_step=7,
        smoothed=0.1 + 0.2,
        lowest=math.inf,
        rollbacks=1,
        speed_mark=(3.0, 2),
    )
    return RunState(
        controller,
        SamplerState(seed=1, epoch=3, position=5),
        good=_snapshot(1),
        good_at=30,
        weights_at=35,
        best=Best(20, {"mean": 0.5}, _snapshot(2)),
        validated_at=20,
        checkpointed_at=40,
        log_dir="logs",
        cpu_seconds=1.5,
        waited=0.25,
    )


def _plain(state: RunState) -> dict:
    names = [field.name for field in dataclasses.fields(RunState)]
    return {name: getattr(state, name) for name in names if name not in ("good", "best")}


def test_everything_comes_back_from_disk_but_the_speed_of_the_stage(tmp_path):
    state, store = _state(), CheckpointStore(str(tmp_path))
    store.save(state.checkpoint(_snapshot(3), [{"event": "start"}]))
    checkpoint, _ = store.restore()
    assert checkpoint is not None
    assert checkpoint.step == 40
    assert checkpoint.state["events"] == [{"event": "start"}]
    assert checkpoint.snapshots["learner"].model[0].tolist() == [3, 3, 3]
    restored = RunState.of(checkpoint)
    expected = dataclasses.replace(
        state, controller=dataclasses.replace(state.controller, speed_mark=None)
    )
    assert _plain(restored) == _plain(expected)
    assert restored.good.model[0].tolist() == [1, 1, 1]
    assert restored.best is not None
    assert (restored.best.step, restored.best.scores) == (20, {"mean": 0.5})
    assert restored.best.snapshot.model[0].tolist() == [2, 2, 2]


def test_before_the_first_validation_there_is_no_best():
    state = dataclasses.replace(_state(), best=None)
    checkpoint = state.checkpoint(_snapshot(3), [])
    assert set(checkpoint.snapshots) == {"learner", "good"}
    assert RunState.of(checkpoint).best is None

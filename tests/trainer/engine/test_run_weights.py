"""Which step's weights a run keeps and exports, and what it says of them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from tests.support.synthetic import write_examples
from tests.support.training import folders_in, small_config, small_stage
from trainer.core.config import ControllerConfig, TrainerConfig, ValidationConfig
from trainer.engine import loop
from trainer.engine.learner import Learner
from trainer.model import export
from trainer.reporting.result import TrainingResult

pytestmark = pytest.mark.slow

_TRAIN = {"train": {"i_a": ("a", 10), "v_b": ("b", 10)}}
_VAL = {"val": {"v_c": ("c", 8)}}
_BROKEN_AT = 8  # steps before the block that fails


def _config(**settings) -> TrainerConfig:
    return small_config(
        small_stage(steps=16),
        validation=ValidationConfig(every_steps=12, max_points=20),
        strategy="one_device",
        steps_per_loop=4,
        **settings,
    )


class _Weights:
    """Those before the block that fails, and those that are exported."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        train, save = Learner.train, export.save
        self.before: list[np.ndarray] = []
        self.exported: list[np.ndarray] = []

        def failing(learner, batches, patches_per_point, rates, first_step):
            if first_step == _BROKEN_AT:
                self.before = learner.model.get_weights()
            metrics = train(learner, batches, patches_per_point, rates, first_step)
            return {**metrics, "loss": math.nan} if first_step == _BROKEN_AT else metrics

        def saving(model: tf_keras.Model, *arguments):
            self.exported = model.get_weights()
            save(model, *arguments)

        monkeypatch.setattr(Learner, "train", failing)
        monkeypatch.setattr(export, "save", saving)

    def assert_restored(self) -> None:
        for actual, expected in zip(self.exported, self.before, strict=True):
            np.testing.assert_array_equal(actual, expected)


def _run(folder: Path, splits: dict, config: TrainerConfig) -> tuple[TrainingResult, list[dict]]:
    write_examples(folder / "examples", splits)
    result = loop.train(config, str(folder / "examples"), None, folders_in(folder))
    return result, json.loads((folder / "out" / "timeline.json").read_text())


def test_a_run_without_val_that_gave_up_tells_the_step_of_its_last_good_weights(
    tmp_path, monkeypatch
):
    weights = _Weights(monkeypatch)
    config = _config(controller=ControllerConfig(max_rollbacks=0))
    result, events = _run(tmp_path, _TRAIN, config)
    assert result.gave_up
    assert (result.steps, result.best_step) == (12, _BROKEN_AT)
    assert (events[-1]["event"], events[-1]["step"]) == ("export", _BROKEN_AT)
    assert "the last good one, as the run gave up" in events[-1]["reason"]
    weights.assert_restored()


def test_restored_weights_are_scored_as_those_of_their_own_step(tmp_path, monkeypatch):
    """The rollback comes with the run's first validation, which is the best one, too."""
    weights = _Weights(monkeypatch)
    config = _config(controller=ControllerConfig(max_rollbacks=0))
    result, events = _run(tmp_path, _TRAIN | _VAL, config)
    validated = [(e["step"], e["weights_at"]) for e in events if e["event"] == "validate"]
    assert validated == [(12, _BROKEN_AT)]
    assert (result.steps, result.best_step) == (12, _BROKEN_AT)
    assert (events[-1]["step"], events[-1]["reason"]) == (_BROKEN_AT, "best on val")
    weights.assert_restored()


def test_after_a_rollback_the_weights_are_the_last_steps_again(tmp_path, monkeypatch):
    _Weights(monkeypatch)
    result, events = _run(tmp_path, _TRAIN | _VAL, _config())
    assert result.rollbacks == 1
    validated = {e["step"]: e["weights_at"] for e in events if e["event"] == "validate"}
    assert validated[12] == _BROKEN_AT
    assert validated[result.steps] == result.steps > 12


def test_the_state_after_a_rollback_is_called_good_anew(tmp_path, monkeypatch):
    _Weights(monkeypatch)
    _, events = _run(tmp_path, _TRAIN, _config())
    told = [e["event"] for e in events if e["event"] in ("good", "rollback")]
    assert told == ["good", "rollback", "good"]

"""Runs that are stopped, killed or damaged, and go on."""

import json
import math
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support.training import folders_in, small_config, small_stage
from trainer.core.config import TrainerConfig, ValidationConfig
from trainer.core.errors import UserError
from trainer.core.interruption import Interrupted
from trainer.data.host_infeed import HostPatches
from trainer.engine import loop
from trainer.engine.checkpoints import CheckpointStore
from trainer.engine.learner import Learner, Snapshot
from trainer.model import export

pytestmark = pytest.mark.slow

_CONFIG = small_config(
    small_stage(steps=8, min_steps=4),
    small_stage(12),
    validation=ValidationConfig(every_steps=4, max_points=20),
    strategy="one_device",
    checkpoint_every=4,
)
_BLOCKS = 10  # of two steps


class _KilledError(BaseException):
    """Like SIGKILL: nothing of the trainer's own code handles it."""


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("packed"))


@pytest.fixture
def train(examples, packed, tmp_path):
    def train(config: TrainerConfig = _CONFIG, folder: Path = tmp_path, **options):
        return loop.train(config, examples, None, folders_in(folder, packed=packed), **options)

    return train


@pytest.fixture(scope="module")
def undisturbed(examples, packed, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    loop.train(_CONFIG, examples, None, folders_in(folder, packed=packed))
    return folder


def _before_block(monkeypatch: pytest.MonkeyPatch, number: int, action) -> None:
    """Has something done before a block of steps, counted from now, from 1."""
    train, calls = Learner.train, []

    def trained(self, *arguments):
        calls.append(1)
        if len(calls) == number:
            action()
        return train(self, *arguments)

    monkeypatch.setattr(Learner, "train", trained)


def _die() -> None:
    raise _KilledError


def _killed_before(block: int, train, *config, **options) -> None:
    """Trains until a process dies before a block of steps."""
    with pytest.MonkeyPatch.context() as patched:
        _before_block(patched, block, _die)
        with pytest.raises(_KilledError):
            train(*config, **options)


def _events(folder: Path) -> list[dict]:
    return json.loads((folder / "out" / "timeline.json").read_text())


def _course(folder: Path) -> list[dict]:
    return [event for event in _events(folder) if event["event"] != "resume"]


def _resumed(folder: Path) -> list[int]:
    return [event["step"] for event in _events(folder) if event["event"] == "resume"]


def _weights(folder: Path) -> dict[str, bytes]:
    reader = tf.train.load_checkpoint(str(folder / "out/Format-Serving/variables/variables"))
    names = (name for name in reader.get_variable_to_shape_map() if name.startswith("network/"))
    return {name: reader.get_tensor(name).tobytes() for name in names}


def _checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "out" / "checkpoints").glob("*/step-*"))


@pytest.mark.parametrize(
    ("block", "step"), [(2, 0), (5, 8), (_BLOCKS, 16)], ids=["before any", "at a stage", "at last"]
)
def test_a_killed_run_goes_on_and_ends_like_an_undisturbed_one(
    undisturbed, train, tmp_path, block, step
):
    _killed_before(block, train)
    train()
    assert _resumed(tmp_path) == ([step] if step else [])
    assert _course(tmp_path) == _course(undisturbed)
    assert _weights(tmp_path) == _weights(undisturbed)
    assert _checkpoints(tmp_path) == []


def test_a_run_that_was_killed_in_its_export_only_exports(
    undisturbed, train, tmp_path, monkeypatch
):
    monkeypatch.setattr(export, "save", lambda *_: _die())
    with pytest.raises(_KilledError):
        train()
    monkeypatch.undo()
    monkeypatch.setattr(Learner, "train", lambda *_: pytest.fail("all steps were taken"))
    result = train()
    assert result.steps == 20
    assert _weights(tmp_path) == _weights(undisturbed)


@pytest.mark.parametrize("existing", ["refuse", "resume"])
def test_a_run_that_was_killed_behind_its_result_only_tidies_up(
    train, tmp_path, monkeypatch, existing
):
    monkeypatch.setattr(CheckpointStore, "clear", lambda *_: _die())
    with pytest.raises(_KilledError):
        train(existing=existing)
    monkeypatch.undo()
    assert _checkpoints(tmp_path)
    monkeypatch.setattr(export, "save", lambda *_: pytest.fail("it was exported already"))
    assert train(existing=existing).steps == 20
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_what_a_rollback_changed_is_not_forgotten(train, tmp_path, monkeypatch):
    """The second block breaks down; then the process dies, before and after a checkpoint."""
    original = Learner.train

    def breaking(self, batches, patches_per_point, rates, first_step):
        metrics = original(self, batches, patches_per_point, rates, first_step)
        return dict.fromkeys(metrics, math.nan) if first_step == 2 else metrics

    monkeypatch.setattr(Learner, "train", breaking)
    whole = tmp_path / "whole"
    train(folder=whole)
    _before_block(monkeypatch, 5, _die)
    with pytest.raises(_KilledError):
        train()
    monkeypatch.setattr(Learner, "train", breaking)
    result = train()
    assert result.rollbacks == 1
    assert _course(tmp_path) == _course(whole)
    assert _weights(tmp_path) == _weights(whole)


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_taken(undisturbed, train, tmp_path):
    _killed_before(6, train)
    older, newest = _checkpoints(tmp_path)
    (newest / "snapshot-0.npz").write_bytes(b"torn")
    train()
    assert _resumed(tmp_path) == [int(older.name[-8:])] == [4]
    (damaged,) = (e for e in _events(tmp_path) if e["event"] == "damaged_checkpoint")
    assert "step-00000008 is damaged" in damaged["reason"]
    assert _weights(tmp_path) == _weights(undisturbed)


def test_another_configuration_starts_from_the_first_step(train, tmp_path):
    _killed_before(6, train)
    train(_CONFIG.model_copy(update={"seed": 2}))
    assert _resumed(tmp_path) == []


def test_how_often_a_run_is_saved_does_not_make_it_another_run(undisturbed, train, tmp_path):
    _killed_before(6, train)
    train(_CONFIG.model_copy(update={"checkpoint_every": 0}))
    assert _resumed(tmp_path) == [8]
    assert _weights(tmp_path) == _weights(undisturbed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_steps_at_hand_finish_and_saves_them(
    undisturbed, train, tmp_path, monkeypatch, number
):
    before = signal.getsignal(number)
    _before_block(monkeypatch, 2, lambda: os.kill(os.getpid(), number))
    with pytest.raises(Interrupted, match=r"^stopped at step 4; the same command goes on") as stop:
        train()
    assert stop.value.exit_status == 128 + number
    assert isinstance(stop.value, KeyboardInterrupt)
    assert signal.getsignal(number) is before
    monkeypatch.undo()
    train()
    assert _resumed(tmp_path) == [4]
    assert _weights(tmp_path) == _weights(undisturbed)


def test_without_checkpoints_a_signal_says_that_nothing_is_kept(train, tmp_path, monkeypatch):
    _before_block(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted, match="nothing was kept, as checkpoint_every is 0"):
        train(_CONFIG.model_copy(update={"checkpoint_every": 0}))
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_outside_the_main_thread_a_run_trains_without_listening_to_signals(train):
    results: list = []
    thread = threading.Thread(target=lambda: results.append(train()))
    thread.start()
    thread.join()
    assert results[0].steps == 20


def test_processor_time_used_before_counts(train, tmp_path):
    """All but seconds of the budget were used up by the process that died."""
    controller = _CONFIG.controller.model_copy(update={"max_cpu_minutes": 1000.0})
    stages = (_CONFIG.plan[0], _CONFIG.plan[1].model_copy(update={"max_steps": 100}))
    config = _CONFIG.model_copy(update={"controller": controller, "stages": stages})
    _killed_before(6, train, config)
    run = next((tmp_path / "out" / "checkpoints").iterdir())
    store = CheckpointStore(str(run))
    checkpoint, _ = store.restore()
    assert checkpoint is not None
    checkpoint.state["cpu_seconds"] = 1000 * 60 - 1  # type: ignore[index]
    store.save(checkpoint)
    result = train(config)
    assert result.cpu_seconds > 1000 * 60 - 1
    assert "shorten" in [event["event"] for event in _events(tmp_path)]
    assert result.steps < 108


def test_weights_that_are_not_finite_are_rolled_back_with_the_optimizer(
    train, tmp_path, monkeypatch
):
    """NaN in weights, statistics and optimizer slots, while the reported loss is still fine."""
    original, good, after = Learner.train, [], []

    def breaking(self, batches, patches_per_point, rates, first_step):
        if first_step == 4:
            good.append(self.snapshot())
        if first_step == 6:
            after.append(self.snapshot())
        metrics = original(self, batches, patches_per_point, rates, first_step)
        if first_step == 4:
            for variable in (*self.model.variables, *self.optimizer.variables):
                if variable.dtype.is_floating:
                    variable.assign(tf.fill(variable.shape, math.nan))
        return metrics

    monkeypatch.setattr(Learner, "train", breaking)
    result = train()
    assert result.rollbacks == 1
    assert not result.gave_up
    rollback = next(event for event in _events(tmp_path) if event["event"] == "rollback")
    assert rollback["step"] == 6
    _assert_same(after[0], good[0])


def test_a_network_that_is_not_finite_has_a_loss_that_says_so(train, monkeypatch):
    """The loss must not hide it: maxima and minima of NaN can be numbers."""
    original, losses = Learner.train, {}

    def breaking(self, batches, patches_per_point, rates, first_step):
        if first_step == 4:
            kernel = self.model.trainable_variables[0]
            kernel.assign(tf.fill(kernel.shape, math.nan))
        metrics = original(self, batches, patches_per_point, rates, first_step)
        losses[first_step] = metrics["loss"]
        return metrics

    monkeypatch.setattr(Learner, "train", breaking)
    assert train().rollbacks == 1
    assert [step for step, loss in losses.items() if not math.isfinite(loss)] == [4]


def _assert_same(snapshot: Snapshot, expected: Snapshot) -> None:
    for part in ("model", "optimizer"):
        for value, wanted in zip(getattr(snapshot, part), getattr(expected, part), strict=True):
            np.testing.assert_array_equal(value, wanted)


@pytest.fixture
def by_hosts(monkeypatch) -> None:
    """Has the hosts read the patches; one host is enough to take that way."""

    def patches(config, examples_root, examples, hosts):
        of_hosts = HostPatches(examples_root, examples.splits["train"], hosts)
        of_hosts.check(config.plan)
        return of_hosts

    monkeypatch.setattr(loop, "_host_patches", patches)


@pytest.mark.usefixtures("by_hosts")
def test_a_run_fed_by_its_hosts_goes_on_where_it_was_killed(train, tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(folder=whole)
    _killed_before(5, train, folder=stopped)
    train(folder=stopped)
    assert _resumed(stopped) == [8]
    assert _course(stopped) == _course(whole)
    assert _weights(stopped) == _weights(whole)


def test_hosts_without_a_scene_of_their_own_are_refused(train, monkeypatch):
    monkeypatch.setattr(loop.strategy, "hosts", lambda _: 3)
    with pytest.raises(UserError, match="2 scenes for 3 hosts"):
        train()

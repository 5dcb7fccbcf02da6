"""Output folders that hold an earlier run's work."""

from pathlib import Path

import pytest

from trainer import output_folder, run_identity
from trainer.checkpoints import Checkpoint, CheckpointStore
from trainer.errors import UserError
from trainer.learner import Snapshot
from trainer.run_identity import RunIdentity

_MINE = RunIdentity(data="d", configuration={"seed": 1}, code="c", warm_start="")
_OTHER = _MINE.model_copy(update={"configuration": {"seed": 2}, "code": "e"})
_DIFFERS = r"what differs: the configuration \(seed\) and the trainer's code"


def _is_finished(folder: Path, existing: output_folder.Existing) -> bool:
    return output_folder.is_finished(str(folder), str(folder / "checkpoints"), _MINE, existing)


def _claim(folder: Path, existing: output_folder.Existing) -> None:
    output_folder.claim(str(folder), str(folder / "checkpoints"), _MINE, existing)


def _unfinished(folder: Path, identity: RunIdentity) -> CheckpointStore:
    run_identity.write(identity, str(folder))
    store = CheckpointStore(str(folder / "checkpoints" / identity.hash))
    store.save(Checkpoint(1, {"learner": Snapshot((), ())}, {}))
    return store


def _finished(folder: Path, identity: RunIdentity | None) -> None:
    if identity:
        run_identity.write(identity, str(folder))
    (folder / "training_result.json").write_text("{}")


@pytest.mark.parametrize("existing", ["replace", "refuse", "resume", "overwrite"])
def test_a_new_folder_is_free(tmp_path, existing):
    assert not _is_finished(tmp_path / "new", existing)
    assert not _is_finished(tmp_path, existing)


@pytest.mark.parametrize("existing", ["refuse", "resume"])
def test_checkpoints_of_the_same_run_are_no_obstacle(tmp_path, existing):
    store = _unfinished(tmp_path, _MINE)
    assert not _is_finished(tmp_path, existing)
    _claim(tmp_path, existing)
    assert len(store) == 1


@pytest.mark.parametrize("existing", ["refuse", "resume"])
def test_checkpoints_of_another_run_are_refused_saying_what_differs(tmp_path, existing):
    store = _unfinished(tmp_path, _OTHER)
    with pytest.raises(UserError, match=f"holds checkpoints of another run .{_DIFFERS}"):
        _is_finished(tmp_path, existing)
    assert len(store) == 1


@pytest.mark.parametrize("existing", ["refuse", "resume"])
def test_a_result_of_another_run_is_refused_saying_what_differs(tmp_path, existing):
    _finished(tmp_path, _OTHER)
    with pytest.raises(UserError, match=f"holds the finished result of another run .{_DIFFERS}"):
        _is_finished(tmp_path, existing)


def test_a_result_that_does_not_say_what_it_is_of_is_refused(tmp_path):
    _finished(tmp_path, None)
    with pytest.raises(UserError, match="does not say what it was trained from"):
        _is_finished(tmp_path, "resume")


def test_a_result_of_the_same_run_is_refused_unless_it_is_resumed(tmp_path):
    _finished(tmp_path, _MINE)
    with pytest.raises(UserError, match="holds the finished result of this very run"):
        _is_finished(tmp_path, "refuse")
    assert _is_finished(tmp_path, "resume")


def test_a_run_that_died_before_its_first_checkpoint_is_no_obstacle(tmp_path):
    run_identity.write(_OTHER, str(tmp_path))
    (tmp_path / "checkpoints" / _OTHER.hash / "step-00000001.tmp").mkdir(parents=True)
    assert not _is_finished(tmp_path, "refuse")


def test_overwriting_deletes_what_runs_write_and_nothing_else(tmp_path):
    _unfinished(tmp_path, _OTHER)
    _unfinished(tmp_path, _MINE)
    _finished(tmp_path, _OTHER)
    (tmp_path / "logs").mkdir()
    (tmp_path / "timeline.json").write_text("[]")
    (tmp_path / "Format-Serving").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    assert not _is_finished(tmp_path, "overwrite")
    _claim(tmp_path, "overwrite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "run.json"]
    assert run_identity.read(str(tmp_path)) == _MINE


def test_replacing_leaves_the_checkpoints_of_other_runs(tmp_path):
    store = _unfinished(tmp_path, _OTHER)
    _finished(tmp_path, _OTHER)
    assert not _is_finished(tmp_path, "replace")
    _claim(tmp_path, "replace")
    assert len(store) == 1
    assert not (tmp_path / "training_result.json").exists()
    assert run_identity.read(str(tmp_path)) == _MINE

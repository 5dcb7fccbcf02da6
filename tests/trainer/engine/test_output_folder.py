"""Output folders that hold an earlier run's work."""

from pathlib import Path

import pytest

from trainer.core.errors import UserError
from trainer.engine import output_folder, run_identity
from trainer.engine.checkpoints import Checkpoint, CheckpointStore
from trainer.engine.learner import Snapshot
from trainer.engine.run_identity import RunIdentity

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
    folder.mkdir(exist_ok=True)
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
def test_what_another_run_has_left_is_refused_saying_what_differs(tmp_path, existing):
    store = _unfinished(tmp_path, _OTHER)
    with pytest.raises(UserError, match=f"holds checkpoints of another run .{_DIFFERS}"):
        _is_finished(tmp_path, existing)
    assert len(store) == 1
    _finished(tmp_path / "ended", _OTHER)
    with pytest.raises(UserError, match=f"holds the finished result of another run .{_DIFFERS}"):
        _is_finished(tmp_path / "ended", existing)
    deeper = tmp_path / "new" / "a" / "b"
    _others_in(deeper, _OTHER.hash)
    with pytest.raises(UserError, match="holds checkpoints of another run"):
        output_folder.is_finished(f"{tmp_path}/new/", str(deeper), _MINE, existing)


def test_a_result_of_the_same_run_is_refused_unless_it_is_resumed(tmp_path):
    _finished(tmp_path, _MINE)
    with pytest.raises(UserError, match="holds the finished result of this very run"):
        _is_finished(tmp_path, "refuse")
    assert _is_finished(tmp_path, "resume")
    _finished(tmp_path / "unknown", None)
    with pytest.raises(UserError, match="does not say what it was trained from"):
        _is_finished(tmp_path / "unknown", "resume")


@pytest.mark.parametrize("left", ["step-00000001", "packed"])
def test_a_result_whose_checkpoints_are_left_ends_the_run_that_was_killed_behind_it(tmp_path, left):
    _finished(tmp_path, _MINE)
    (tmp_path / "checkpoints" / _MINE.hash / left).mkdir(parents=True)
    assert _is_finished(tmp_path, "refuse")
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


def _others_in(folder: Path, *hashes: str) -> list[CheckpointStore]:
    stores = [CheckpointStore(str(folder / name)) for name in hashes]
    for store in stores:
        store.save(Checkpoint(1, {"learner": Snapshot((), ())}, {}))
    return stores


@pytest.mark.parametrize("place", ["shared", "out/of_this_run", "out/checkpoints/deeper"])
def test_overwriting_deletes_only_its_own_checkpoints_where_others_may_have_theirs(tmp_path, place):
    shared = tmp_path / place
    (tmp_path / "out").mkdir()
    mine, other = _others_in(shared, _MINE.hash, _OTHER.hash)
    (shared / "photographs").mkdir()
    (shared / "photographs" / "step-by-step.txt").write_text("mine")
    output_folder.claim(str(tmp_path / "out"), str(shared), _MINE, "overwrite")
    assert (len(mine), len(other)) == (0, 1)
    assert (shared / "photographs" / "step-by-step.txt").is_file()


def test_overwriting_leaves_folders_that_are_not_a_runs_and_what_this_run_has_packed(tmp_path):
    checkpoints = tmp_path / "checkpoints"
    mine, other = _others_in(checkpoints, _MINE.hash, _OTHER.hash)
    Path(mine.packed).mkdir()
    for name in ("notes", _OTHER.hash + "0", _OTHER.hash.upper() + "G"):
        (checkpoints / name / "step-1").mkdir(parents=True)
    output_folder.claim(str(tmp_path), f"{checkpoints}/", _MINE, "overwrite")
    assert (len(mine), len(other)) == (0, 0)
    assert not Path(other.folder).exists()
    assert len(list(checkpoints.glob("*/step-1"))) == 3
    assert Path(mine.packed).is_dir()


@pytest.mark.parametrize("existing", ["replace", "refuse", "resume"])
def test_what_a_run_without_checkpoints_has_packed_goes_with_the_next_run(tmp_path, existing):
    for folder in (tmp_path / "checkpoints", tmp_path / "shared"):
        Path(CheckpointStore(str(folder / _OTHER.hash)).packed).mkdir(parents=True)
    _claim(tmp_path, existing)
    assert not (tmp_path / "checkpoints").exists()
    output_folder.claim(str(tmp_path), str(tmp_path / "shared"), _MINE, existing)
    assert (tmp_path / "shared" / _OTHER.hash / "packed").is_dir()


@pytest.mark.parametrize("existing", ["refuse", "resume"])
def test_a_shared_folder_of_checkpoints_is_no_obstacle_to_a_new_output(tmp_path, existing):
    shared = str(tmp_path / "shared")
    _others_in(tmp_path / "shared", _OTHER.hash)
    (tmp_path / "new").mkdir()
    assert not output_folder.is_finished(str(tmp_path / "new"), shared, _MINE, existing)
    # Unless the output folder itself says that it is that run's.
    run_identity.write(_OTHER, str(tmp_path / "new"))
    with pytest.raises(UserError, match="new: holds checkpoints of another run"):
        output_folder.is_finished(str(tmp_path / "new"), shared, _MINE, existing)


def test_replacing_leaves_the_checkpoints_of_other_runs(tmp_path):
    store = _unfinished(tmp_path, _OTHER)
    _finished(tmp_path, _OTHER)
    assert not _is_finished(tmp_path, "replace")
    _claim(tmp_path, "replace")
    assert len(store) == 1
    assert not (tmp_path / "training_result.json").exists()
    assert run_identity.read(str(tmp_path)) == _MINE

"""Checkpoints on disk."""

from pathlib import Path

import numpy as np
import pytest

from trainer.core.errors import UserError
from trainer.engine import checkpoints
from trainer.engine.checkpoints import Checkpoint, CheckpointStore
from trainer.engine.learner import Snapshot


def _snapshot(value: float) -> Snapshot:
    model = tuple(np.full((2, 3), value + number, np.float32) for number in range(12))
    return Snapshot(model, (np.int64(value), np.full(4, value, np.float32)))


def _checkpoint(step: int) -> Checkpoint:
    present, best = _snapshot(step), _snapshot(-step)
    snapshots = {"learner": present, "good": present, "best": best}
    return Checkpoint(step, snapshots, {"epoch": 1, "lowest": float("inf"), "rate": 0.1})


def _assert_equal(found: Snapshot, expected: Snapshot) -> None:
    for part in ("model", "optimizer"):
        values, wanted = getattr(found, part), getattr(expected, part)
        assert len(values) == len(wanted)
        for value, want in zip(values, wanted, strict=True):
            assert value.dtype == want.dtype
            np.testing.assert_array_equal(value, want)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_checkpoint_comes_back_as_it_was(tmp_path):
    store = CheckpointStore(str(tmp_path / "run"))
    assert store.restore() == (None, [])
    for step in (5, 10):
        store.save(_checkpoint(step))
    found, damaged = store.restore()
    assert damaged == []
    assert found is not None
    assert (found.step, found.state) == (10, _checkpoint(10).state)
    for use, value in (("learner", 10), ("good", 10), ("best", -10)):
        _assert_equal(found.snapshots[use], _snapshot(value))


def test_a_snapshot_with_two_uses_is_written_once(tmp_path):
    store = CheckpointStore(str(tmp_path))
    folder = store.save(_checkpoint(5))
    assert _names(Path(folder)) == [
        "complete.json",
        "snapshot-0.npz",
        "snapshot-1.npz",
        "state.json",
    ]


def test_old_checkpoints_are_removed(tmp_path):
    store = CheckpointStore(str(tmp_path), keep=2)
    for step in range(4):
        store.save(_checkpoint(step))
    assert _names(tmp_path) == ["step-00000002", "step-00000003"]
    assert len(store) == 2


def test_a_checkpoint_without_its_mark_is_not_taken_for_good(tmp_path):
    store = CheckpointStore(str(tmp_path))
    store.save(_checkpoint(1))
    unfinished = Path(store.save(_checkpoint(2)))
    (unfinished / "complete.json").unlink()
    (tmp_path / "step-00000003.tmp").mkdir()
    found, damaged = store.restore()
    assert found is not None and found.step == 1
    assert damaged == []  # nobody called it complete
    assert _names(tmp_path) == ["step-00000001"]


@pytest.mark.parametrize("name", ["snapshot-1.npz", "state.json", "complete.json"])
@pytest.mark.parametrize("how", ["truncated", "flipped", "gone"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_taken(tmp_path, name, how):
    store = CheckpointStore(str(tmp_path))
    store.save(_checkpoint(1))
    file = Path(store.save(_checkpoint(2))) / name
    content = file.read_bytes()
    if how == "gone":
        file.unlink()
    elif how == "truncated":
        file.write_bytes(content[:-7])
    else:
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    found, damaged = store.restore()
    assert found is not None and found.step == 1
    _assert_equal(found.snapshots["learner"], _snapshot(1))
    told = not (name == "complete.json" and how == "gone")
    assert [f"{tmp_path}/step-00000002 is damaged" in text for text in damaged] == [True] * told
    store.save(_checkpoint(3))
    assert _names(tmp_path) == ["step-00000001", "step-00000003"]


def test_with_every_checkpoint_damaged_there_is_none(tmp_path):
    store = CheckpointStore(str(tmp_path))
    for step in (1, 2):
        (Path(store.save(_checkpoint(step))) / "state.json").write_text("{}")
    found, damaged = store.restore()
    assert found is None
    assert len(damaged) == 2


def test_a_step_is_written_again_over_an_unfinished_one(tmp_path):
    (tmp_path / "step-00000002.tmp").mkdir()
    (tmp_path / "step-00000002").mkdir()
    store = CheckpointStore(str(tmp_path))
    store.save(_checkpoint(2))
    found, _ = store.restore()
    assert found is not None and found.step == 2


@pytest.mark.parametrize("place", range(1, 9))
def test_a_process_that_dies_while_it_writes_leaves_the_checkpoint_before(
    tmp_path, monkeypatch, place
):
    """Dies before each of the file operations in turn; half of a file is written then."""
    store = CheckpointStore(str(tmp_path))
    for step in (1, 2):
        store.save(_checkpoint(step))
    left = [place]

    def dying(original, half):
        def wrapped(*arguments):
            left[0] -= 1
            if left[0] == 0:
                if half:
                    Path(arguments[0]).write_bytes(arguments[1][: len(arguments[1]) // 2])
                raise SystemExit("killed")
            return original(*arguments)

        return wrapped

    monkeypatch.setattr(checkpoints, "_write", dying(checkpoints._write, True))
    for name in ("replace_folder", "remove_folder"):
        monkeypatch.setattr(checkpoints, name, dying(getattr(checkpoints, name), False))
    gfile = checkpoints.tf.io.gfile
    monkeypatch.setattr(gfile, "rename", dying(gfile.rename, False))
    with pytest.raises(SystemExit):
        store.save(_checkpoint(3))
    monkeypatch.undo()
    found, damaged = CheckpointStore(str(tmp_path)).restore()
    assert damaged == []
    # The last operation removes an old checkpoint: by then the new one is whole.
    assert found is not None and found.step == (3 if place == 8 else 2)


def test_clearing_leaves_nothing_not_even_an_empty_folder_above(tmp_path):
    store = CheckpointStore(str(tmp_path / "checkpoints" / "hash"))
    store.save(_checkpoint(1))
    store.clear()
    assert _names(tmp_path) == []
    store.clear()


def test_clearing_takes_packed_patches_along_and_leaves_what_is_not_the_runs(tmp_path):
    store = CheckpointStore(str(tmp_path / "checkpoints" / "hash"))
    store.save(_checkpoint(1))
    (Path(store.packed) / "train-0").mkdir(parents=True)
    (tmp_path / "checkpoints" / "hash" / "notes.txt").write_text("mine")
    assert len(store) == 1
    assert store.restore()[0] is not None
    store.clear(packed=False)
    assert _names(tmp_path / "checkpoints" / "hash") == ["notes.txt", "packed"]
    store.clear()
    assert _names(tmp_path / "checkpoints" / "hash") == ["notes.txt"]


def test_clearing_removes_a_link_and_not_what_it_leads_to(tmp_path):
    elsewhere = CheckpointStore(str(tmp_path / "elsewhere"))
    elsewhere.save(_checkpoint(1))
    (whole,) = (tmp_path / "elsewhere").iterdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / whole.name).symlink_to(whole)
    CheckpointStore(str(tmp_path / "run")).clear()
    assert not (tmp_path / "run").exists()
    assert len(elsewhere) == 1


def test_clearing_leaves_other_runs_alone(tmp_path):
    for name in ("one", "two"):
        CheckpointStore(str(tmp_path / name)).save(_checkpoint(1))
    CheckpointStore(str(tmp_path / "one")).clear()
    assert _names(tmp_path) == ["two"]


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path):
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        CheckpointStore(str(tmp_path / "run")).save(_checkpoint(1))

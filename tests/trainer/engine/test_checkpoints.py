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


def _assert_equal(snapshot: Snapshot, expected: Snapshot) -> None:
    for part in ("model", "optimizer"):
        values, wanted = getattr(snapshot, part), getattr(expected, part)
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
        folder = store.save(_checkpoint(step))
    checkpoint, damaged = store.restore()
    assert damaged == []
    assert checkpoint is not None
    assert (checkpoint.step, checkpoint.state) == (10, _checkpoint(10).state)
    for use, value in (("learner", 10), ("good", 10), ("best", -10)):
        _assert_equal(checkpoint.snapshots[use], _snapshot(value))
    # A snapshot with two uses is written once.
    snapshots = [f"snapshot-{number}.npz" for number in range(2)]
    assert _names(Path(folder)) == ["complete.json", *snapshots, "state.json"]


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
    checkpoint, damaged = store.restore()
    assert checkpoint is not None and checkpoint.step == 1
    assert damaged == []  # nobody called it complete
    assert _names(tmp_path) == ["step-00000001"]
    for left in ("step-00000002.tmp", "step-00000002"):
        (tmp_path / left).mkdir()
    store.save(_checkpoint(2))  # over the unfinished one
    checkpoint, _ = store.restore()
    assert checkpoint is not None and checkpoint.step == 2


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
    checkpoint, damaged = store.restore()
    assert checkpoint is not None and checkpoint.step == 1
    _assert_equal(checkpoint.snapshots["learner"], _snapshot(1))
    told = not (name == "complete.json" and how == "gone")
    assert [f"{tmp_path}/step-00000002 is damaged" in text for text in damaged] == [True] * told
    store.save(_checkpoint(3))
    assert _names(tmp_path) == ["step-00000001", "step-00000003"]
    for step in (1, 3):
        (tmp_path / f"step-0000000{step}" / "state.json").write_text("{}")
    checkpoint, damaged = store.restore()
    assert checkpoint is None and len(damaged) == 2


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
    checkpoint, damaged = CheckpointStore(str(tmp_path)).restore()
    assert damaged == []
    # The last operation removes an old checkpoint: by then the new one is whole.
    assert checkpoint is not None and checkpoint.step == (3 if place == 8 else 2)


def test_clearing_leaves_no_empty_folder_above_and_other_runs_alone(tmp_path):
    store = CheckpointStore(str(tmp_path / "checkpoints" / "hash"))
    other = CheckpointStore(str(tmp_path / "two"))
    for each in (store, other):
        each.save(_checkpoint(1))
    store.clear()
    assert _names(tmp_path) == ["two"]
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


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path):
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        CheckpointStore(str(tmp_path / "run")).save(_checkpoint(1))

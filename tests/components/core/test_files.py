"""Folders that appear whole or not at all."""

import os
import platform
import subprocess
import uuid
from pathlib import Path

import pytest
import tensorflow as tf

from components.core import files
from trainer.core.errors import UserError


def test_a_new_folder_appears_when_all_is_in_it(tmp_path):
    target = tmp_path / "deep" / "out"
    with files.new_folder(str(target)) as folder:
        Path(folder, "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert [path.name for path in target.parent.iterdir()] == ["out"]


def test_an_error_leaves_neither_the_folder_nor_its_parents(tmp_path):
    with pytest.raises(ZeroDivisionError), files.new_folder(str(tmp_path / "deep" / "out")) as it:
        Path(it, "a").write_text("1")
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), files.new_folder(str(tmp_path / "deep" / "out")):
        (tmp_path / "deep" / "mine").touch()  # which stays
        _ = 1 / 0
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["mine"]


def test_what_a_killed_run_left_is_no_hindrance(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "old").touch()
    with files.new_folder(str(tmp_path / "out")) as folder:
        Path(folder, "a").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_an_empty_folder_may_be_there_and_nothing_else(tmp_path):
    (tmp_path / "out").mkdir()
    with files.new_folder(str(tmp_path / "out")) as folder:
        Path(folder, "a").touch()
    with (
        pytest.raises(UserError, match="out: found a folder that is not empty"),
        files.new_folder(str(tmp_path / "out")),
    ):
        pass
    with (
        pytest.raises(UserError, match="a: found a file, expected a new or empty folder"),
        files.new_folder(str(tmp_path / "out" / "a")),
    ):
        pass


def test_a_remote_folder_is_written_in_place():
    path = f"ram://{uuid.uuid4().hex}/out"
    with files.new_folder(path) as folder:
        assert folder == path
        files.write_bytes(files.join(folder, "a"), b"123456")
    assert files.read_bytes(f"{path}/a", 3) == b"123"
    assert tf.io.gfile.exists(f"{path}/a")


def test_what_a_killed_writer_left_is_deleted_by_the_next_one(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    living = tmp_path / f"a [1].csv.tmp-{platform.node()}-{os.getppid()}"
    for path in (tmp_path / f"a [1].csv.tmp-{dead.pid}", living):
        path.write_text("half")
    files.write_text(str(tmp_path / "a [1].csv"), "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a [1].csv", living.name]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "below" / "file"
    files.write_text(str(path), "old")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UserError, match=r"file: cannot be written \(No space left on device\)"):
        files.write_text(str(path), "new")
    assert path.read_text() == "old"
    for most, read in ((2, b"ol"), (40, b"old")):
        assert files.read_bytes(str(path), most) == read
    assert files.read_bytes(str(path)) == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to("a.png")
    for name in ("a.png", "link.png"):
        with pytest.raises(UserError, match=f"{name}: is a named pipe, expected a file"):
            files.read_bytes(str(tmp_path / name))
    with pytest.raises(UserError, match="is a device"):
        files.read_bytes("/dev/zero")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_texts_are_read_whatever_ends_their_lines(tmp_path, end):
    path = tmp_path / "scenes.csv"
    path.write_bytes(f"name,scene{end}a,b{end}".encode())
    assert files.read_text(str(path)) == "name,scene\na,b\n"


def test_a_folder_that_another_process_empties_meanwhile_is_removed_without_an_error(
    tmp_path, monkeypatch
):
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    rmtree = files.shutil.rmtree
    calls = []

    def beaten_to_it(path):
        calls.append(path)
        if len(calls) == 1:
            raise FileNotFoundError(2, "No such file or directory", f"{path}/deep")
        rmtree(path)

    monkeypatch.setattr(files.shutil, "rmtree", beaten_to_it)
    files.remove_folder(str(tmp_path / "folder"))
    assert not (tmp_path / "folder").exists() and len(calls) == 2

"""One run per work folder."""

import os
import signal
import subprocess
import sys

import pytest

from pipeline.runs import work_lock
from trainer.core.errors import UserError

_HOLDER = """
import sys, time
from pipeline.runs import work_lock
with work_lock.hold(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_the_folder_is_made_and_the_lock_released(tmp_path):
    for _ in range(2):
        with work_lock.hold(tmp_path / "a" / "b") as folder:
            assert folder == tmp_path / "a" / "b"
            assert folder.is_dir()


def test_a_relative_folder_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with work_lock.hold("work") as folder:
        assert folder == tmp_path / "work"


def test_another_process_is_named_and_its_death_frees_the_folder(tmp_path):
    holder = start_holder(tmp_path)
    try:
        with (
            pytest.raises(
                UserError, match=rf"process {holder.pid} on .* is working in this folder"
            ),
            work_lock.hold(tmp_path),
        ):
            pytest.fail("both hold the lock")
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    with work_lock.hold(tmp_path):
        assert str(os.getpid()) in (tmp_path / work_lock.LOCK_NAME).read_text()


def test_the_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), work_lock.hold(tmp_path):
        _ = 1 / 0
    with work_lock.hold(tmp_path):
        pass


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "work").write_text("")
    with (
        pytest.raises(UserError, match=r"work_dir: found the file .*work, expected a folder"),
        work_lock.hold(tmp_path / "work"),
    ):
        pass


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"work_dir: found the file .*file, expected a folder"),
        work_lock.hold(tmp_path / "file" / "work"),
    ):
        pass


def test_an_unwritable_folder_is_refused():
    # /proc refuses new entries even to root, whom permission bits do not stop.
    with (
        pytest.raises(UserError, match="work_dir: cannot write in /proc"),
        work_lock.hold("/proc/work"),
    ):
        pass


def test_a_remote_folder_is_refused():
    with (
        pytest.raises(UserError, match=r"work_dir: .*expected a local folder"),
        work_lock.hold("gs://bucket/work"),
    ):
        pass

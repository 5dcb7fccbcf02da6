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


def test_the_folder_is_made_and_the_lock_released_also_after_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given in (tmp_path / "a" / "b", "a/b"):
        with pytest.raises(ZeroDivisionError), work_lock.hold(given) as folder:
            assert folder == tmp_path / "a" / "b"
            assert folder.is_dir()
            _ = 1 / 0


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


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("file", r"work_dir: found the file .*file, expected a folder"),
        ("file/work", r"work_dir: found the file .*file, expected a folder"),
        # /proc refuses new entries even to root, whom permission bits do not stop.
        ("/proc/work", "work_dir: cannot write in /proc"),
        ("gs://bucket/work", "work_dir: found 'gs://bucket/work', expected a local folder"),
    ],
)
def test_what_cannot_be_a_work_folder_is_refused(tmp_path, monkeypatch, folder, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=sentence), work_lock.hold(folder):
        pytest.fail("it was taken")

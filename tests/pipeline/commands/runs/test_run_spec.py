"""`hpatches run-spec` with a pipeline of small tasks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import cli
from pipeline.kfp import files
from pipeline.runs import work_lock
from tests.support.small_spec import (
    PROCESS_TASKS,
    parameters_in,
    small_spec,
    take_journal,
)

pytestmark = pytest.mark.slow

_SECONDS = 60


def arguments(folder: Path, spec=None, **parameters: str) -> list[str]:
    """Writes the spec; returns the command's arguments."""
    files.write(spec or small_spec(), str(folder / "small.yaml"))
    given = parameters_in(folder, **parameters)
    words = [word for key, value in given.items() for word in ("--param", f"{key}={value}")]
    return ["run-spec", str(folder / "small.yaml"), "--work", str(folder / "work"), *words]


def hpatches(*words: str):
    return CliRunner().invoke(cli, list(words))


def start(words: list[str]) -> subprocess.Popen:
    script = "from pipeline.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", script, *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + _SECONDS
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)
    return path.read_text()


def test_a_missing_parameter_is_named(tmp_path):
    result = hpatches(*arguments(tmp_path)[:4])
    assert result.exit_code == 2
    assert result.stderr == "parameter journal: not given; expected --param journal=VALUE\n"
    assert not (tmp_path / "work").exists()


def test_progress_and_outputs_are_shown(tmp_path):
    result = hpatches(*arguments(tmp_path))
    assert result.exit_code == 0, result.output
    assert "[3/7] first: started" in result.stdout
    assert "[7/7] report: finished after " in result.stdout
    assert f"text.made: {tmp_path / 'source'}" in result.stdout
    assert "second.length = " in result.stdout
    assert str(tmp_path / "work" / "run.json") in result.stdout
    assert "first's driver" in take_journal(tmp_path)  # the spec has a driver, so it is Vertex AI's


def test_the_backend_can_be_chosen_and_a_skipped_task_is_told(tmp_path):
    result = hpatches(*arguments(tmp_path, bless="no"), "--mode", "kfp")
    assert result.exit_code == 0
    assert "first's driver" not in take_journal(tmp_path)
    assert "[6/7] push: skipped" in result.stdout
    assert "push: skipped, as its condition does not hold" in result.stdout


def test_folders_are_found_from_where_the_command_runs(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "data").write_text("seen from here")  # which is where this test runs
    assert hpatches(*arguments(tmp_path, data_path="data")).exit_code == 0
    (written,) = (tmp_path / "work" / "tasks").glob("*/first/1/executor_input.json")
    assert '"seen": "seen from here"' in written.read_text()


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--param", "sauce=x"], "parameter sauce: unknown; did you mean source?"),
        (["--param", "journal"], "--param 'journal': expected NAME=VALUE"),
        (["--from", "pusher"], "--from: found 'pusher', expected one of"),
    ],
)
def test_what_cannot_work_is_one_sentence_and_starts_nothing(tmp_path, extra, sentence):
    result = hpatches(*arguments(tmp_path), *extra)
    assert result.exit_code == 2
    assert result.stderr.startswith(sentence) and result.stderr.count("\n") == 1
    assert take_journal(tmp_path) == []
    assert not (tmp_path / "work" / "tasks").exists()


def test_two_runs_in_one_folder_are_kept_apart(tmp_path):
    with work_lock.hold(tmp_path / "work"):
        result = hpatches(*arguments(tmp_path))
    assert result.exit_code == 2 and "is working in this folder" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_reaches_the_task_and_the_next_start_goes_on(tmp_path, number):
    flag = tmp_path / "check.hang"
    flag.touch()
    words = arguments(tmp_path)
    process = start(words)
    wait_for(tmp_path / "hanging")
    process.send_signal(number)
    _, said = process.communicate(timeout=_SECONDS)
    assert process.returncode == 130
    assert "finished components are kept and not run again" in said
    assert (tmp_path / "ended").exists()  # the task heard of it
    flag.unlink()
    take_journal(tmp_path)
    assert hpatches(*words).exit_code == 0
    assert take_journal(tmp_path) == list(PROCESS_TASKS[PROCESS_TASKS.index("check") :])


def test_what_a_killed_program_left_running_is_ended_by_the_next_start(tmp_path):
    flag = tmp_path / "check.hang"
    flag.touch()
    words = arguments(tmp_path)
    process = start(words)
    left = int(wait_for(tmp_path / "hanging"))
    process.kill()
    process.communicate()
    os.kill(left, 0)  # it lives on
    flag.unlink()
    take_journal(tmp_path)
    result = hpatches(*words)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "ended").exists()
    assert take_journal(tmp_path) == list(PROCESS_TASKS[PROCESS_TASKS.index("check") :])

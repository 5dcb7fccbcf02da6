"""`hpatches run-spec` with a pipeline of small tasks."""

from __future__ import annotations

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
from tests.support.small_spec import PROCESSES, journal, small_parameters, small_spec

pytestmark = pytest.mark.slow

_SECONDS = 60


def arguments(folder: Path, spec=None, **parameters: str) -> list[str]:
    """Writes the spec; returns the command's arguments."""
    files.write(spec or small_spec(), str(folder / "small.yaml"))
    given = small_parameters(folder, **parameters)
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


def test_progress_and_outputs_are_shown(tmp_path):
    result = hpatches(*arguments(tmp_path))
    assert result.exit_code == 0, result.output
    assert "[3/7] first: started" in result.stdout
    assert "[7/7] report: finished after " in result.stdout
    assert f"text.made: {tmp_path / 'source'}" in result.stdout
    assert "second.length = " in result.stdout
    assert str(tmp_path / "work" / "run.json") in result.stdout
    assert "first's driver" in journal(tmp_path)  # the spec has a driver, so it is Vertex AI's


def test_the_backend_can_be_chosen(tmp_path):
    assert hpatches(*arguments(tmp_path), "--mode", "kfp").exit_code == 0
    assert "first's driver" not in journal(tmp_path)


def test_folders_are_found_from_where_the_command_runs(tmp_path):
    (tmp_path / "data").write_text("seen from here")  # which is where this test runs
    assert hpatches(*arguments(tmp_path, data_path="data")).exit_code == 0
    (written,) = (tmp_path / "work" / "tasks").glob("*/first/1/executor_input.json")
    assert '"seen": "seen from here"' in written.read_text()


def test_a_skipped_task_is_told(tmp_path):
    result = hpatches(*arguments(tmp_path, bless="no"))
    assert result.exit_code == 0
    assert "[6/7] push: skipped" in result.stdout
    assert "push: skipped, as its condition does not hold" in result.stdout


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
    assert journal(tmp_path) == []


def test_a_missing_parameter_is_named(tmp_path):
    words = arguments(tmp_path)[:4]
    result = hpatches(*words)
    assert result.exit_code == 2
    assert result.stderr == "parameter journal: not given; expected --param journal=VALUE\n"
    assert not (tmp_path / "work").exists()


def test_a_broken_reference_is_refused_before_anything_is_written(tmp_path):
    spec = small_spec()
    given = spec["root"]["dag"]["tasks"]["check"]["inputs"]["artifacts"]["second"]
    given["taskOutputArtifact"]["outputArtifactKey"] = "mode"
    result = hpatches(*arguments(tmp_path, spec))
    assert result.exit_code == 2
    expected = "check: input second: second has no output 'mode'; expected one of made"
    assert result.stderr == f"{expected}\n"
    assert not (tmp_path / "work").exists()


def test_a_file_that_is_no_spec_is_named(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("- a\n")
    result = hpatches("run-spec", str(path))
    assert result.exit_code == 2
    assert result.stderr == f"{path}: found no mapping, expected a compiled pipeline\n"


def test_a_failing_task_is_one_sentence(tmp_path):
    (tmp_path / "check.mistake").touch()
    result = hpatches(*arguments(tmp_path))
    assert result.exit_code == 2
    assert result.stderr.startswith("check: a.png is empty (log: ")
    assert "[5/7] check: failed after " in result.stdout


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
    journal(tmp_path)
    assert hpatches(*words).exit_code == 0
    assert journal(tmp_path) == list(PROCESSES[PROCESSES.index("check") :])


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
    journal(tmp_path)
    result = hpatches(*words)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "ended").exists()
    assert journal(tmp_path) == list(PROCESSES[PROCESSES.index("check") :])

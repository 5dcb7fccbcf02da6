"""`hpatches runs`, `rollback` and `clean` on made-up work folders."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner

from components.serving.pusher import push_log
from pipeline.cli import cli
from pipeline.runs import records, work_lock
from tests.support.cloud import cloud_storage

_START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def hpatches(*arguments, **options):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], **options)


def push(destination: Path, version: int, content: str) -> None:
    folder = destination / str(version)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)


def record(
    work: Path, number: int, state="executed", destination: str | None = None, **outcome
) -> Path:
    """Records a run with one artifact folder and returns that folder."""
    artifact = work / "artifacts" / "PatchExampleGen" / "examples" / str(number)
    artifact.mkdir(parents=True)
    (artifact / "shard").write_bytes(b"x" * 1500)
    summary = records.RunSummary(
        run_id=f"run-{number}",
        started=_START + timedelta(hours=number),
        seconds=61.4,
        config_name="demo",
        config_checksum="",
        components=[
            records.ComponentRecord(
                name="PatchExampleGen", state=state, outputs={"examples": (str(artifact),)}
            )
        ],
        push_destination=destination or str(work / "serving"),
        **outcome,
    )
    records.record_run(str(work), summary)
    return artifact


@pytest.fixture
def work(tmp_path) -> Path:
    folder = tmp_path / "work"
    record(folder, 1, blessed=True, pushed_version=5, metrics={"matching": 0.701})
    record(folder, 2, blessed=False, reasons=("tough is low", "easy is low"))
    record(folder, 3, error="a.png is empty")
    record(folder, 4, blessed=True, pushed_version=6, metrics={"matching": 0.75})
    push(folder / "serving", 5, "old")
    push(folder / "serving", 6, "new")
    return folder


def test_runs_lists_the_newest_first_with_verdict_and_model(work):
    result = hpatches("runs", "--work", work)
    assert result.exit_code == 0
    lines = [line for line in result.output.splitlines() if "demo" in line]
    assert len(lines) == 4
    assert "75.0" in lines[0]
    assert "version 6" in lines[0]
    assert "in production" in result.output
    assert "failed" in lines[1]
    assert "not blessed: tough is low" in lines[2]
    assert "(and 1 more)" in result.output
    assert "version 5" in lines[3]


@pytest.mark.parametrize("command", [["runs"], ["clean"], ["rollback", "5"]])
def test_an_absent_work_folder_is_refused_and_not_made(tmp_path, command):
    result = hpatches(*command, "--work", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "there is no such work folder" in result.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("command", [["runs"], ["clean"]])
def test_where_nothing_ran_that_is_said_and_no_trace_left(tmp_path, command):
    result = hpatches(*command, "--work", tmp_path)
    assert (result.exit_code, result.output) == (0, f"Nothing has run in {tmp_path} yet.\n")
    assert list(tmp_path.iterdir()) == []


def test_runs_tells_an_interrupted_run_from_a_failed_one(tmp_path):
    record(tmp_path, 1, state="interrupted", error="interrupted")
    result = hpatches("runs", "--work", tmp_path)
    assert "interrupted" in result.output
    assert "failed" not in result.output


def test_clean_shows_asks_and_deletes(work):
    old = work / "artifacts" / "PatchExampleGen" / "examples" / "1"
    result = hpatches("clean", "--work", work, "--keep", "2", input="n\n")
    assert result.exit_code == 0
    assert str(old) in result.output
    assert "Nothing was deleted." in result.output
    assert old.exists()
    result = hpatches("clean", "--work", work, "--keep", "2", input="y\n")
    assert result.exit_code == 0
    assert "Freed 3 kB." in result.output
    assert not old.exists()
    assert (old.parent / "4").exists()
    assert (work / "serving" / "5").exists()
    result = hpatches("clean", "--work", work, "--keep", "1", "--yes")
    assert result.exit_code == 0
    assert "Delete these" not in result.output
    assert [path.name for path in old.parent.iterdir()] == ["4"]
    result = hpatches("clean", "--work", work, "--keep", "9")
    assert result.output == f"Nothing to delete in {work}.\n"
    for number in range(5):
        folder = f"PatchExampleGen/.system/executor_execution/{number}"
        (work / "artifacts" / folder).mkdir(parents=True)
    result = hpatches("clean", "--work", work, "--keep", "9", input="n\n")
    assert result.output.splitlines()[0] == "      0 B  5 folders with nothing in them"
    with work_lock.hold(work):
        result = hpatches("clean", "--work", work, "--yes")
    assert result.exit_code == 2
    assert "is working in this folder" in result.stderr


def test_rollback_serves_the_old_content_under_a_new_number_and_runs_shows_it(work, tmp_path):
    result = hpatches("rollback", "7", "--work", work)
    assert result.exit_code == 2
    assert "there is no version 7; expected one of 5, 6" in result.stderr
    result = hpatches("rollback", "5", "--work", work)
    assert result.exit_code == 0, result.output
    *before, newest = sorted(int(path.name) for path in (work / "serving").iterdir())
    assert before == [5, 6]
    assert (work / "serving" / str(newest) / "saved_model.pb").read_text() == "old"
    assert result.output.startswith(f"Version 5 is served again, as version {newest}: ")
    lines = hpatches("runs", "--work", work).output.splitlines()
    (number,) = [number for number, line in enumerate(lines) if "version 5" in line]
    assert f"(in production again, as {newest})" in _last_column(lines[number:])
    assert "in production" not in "".join(lines[:number])
    # A destination may be given in place of a work folder.
    serving = ("--work", tmp_path / "nowhere", "--destination", work / "serving")
    result = hpatches("rollback", "6", *serving)
    assert result.exit_code == 0, result.output


def _last_column(lines: list[str]) -> str:
    """Joins what a table folded over several lines."""
    cells = [line.split("│")[-2].strip() for line in lines if line.startswith("│")]
    return " ".join(cells)


@pytest.mark.slow
def test_models_in_a_bucket_are_listed_rolled_back_and_left_alone_by_clean(tmp_path):
    work = tmp_path / "work"
    destination = "gs://b/models"
    record(work, 1, destination=destination, blessed=True, pushed_version=5)
    record(work, 2, destination=destination, blessed=True, pushed_version=6)
    with cloud_storage.running(tmp_path) as storage:
        for version, content in ((5, b"old"), (6, b"new")):
            # As TensorFlow leaves it, with objects that stand for the folders.
            storage.objects.put(f"{destination}/{version}/", b"")
            storage.objects.put(f"{destination}/{version}/saved_model.pb", content)
        listed = hpatches("runs", "--work", work)
        assert listed.exit_code == 0, listed.output
        assert "version 6 (in production)" in " ".join(listed.output.split())
        rolled = hpatches("rollback", "5", "--work", work)
        assert rolled.exit_code == 0, rolled.output
        versions = {uri.split("/")[4] for uri in storage.objects.names(f"{destination}/")}
        (served,) = versions - {"5", "6", ""}
        assert storage.objects.get(f"{destination}/{served}/saved_model.pb") == b"old"
        assert [entry.action for entry in push_log.read(destination)] == ["rollback"]
        assert hpatches("clean", "--work", work, "--keep", "1", "--yes").exit_code == 0
        assert storage.objects.get(f"{destination}/5/saved_model.pb") == b"old"


def test_the_demos_folder_is_found_and_said(work):
    work.rename(work.with_name("demo"))
    result = hpatches("runs")
    assert result.exit_code == 0, result.output
    assert result.stderr == "Work folder: demo\n"
    assert "Runs in demo" in result.stdout
    assert "/demo/serving/" in hpatches("rollback", 5).stdout


def test_a_folder_without_runs_names_those_that_have_some(work):
    empty = work.with_name("empty")
    empty.mkdir()
    result = hpatches("runs", "--work", empty)
    assert result.stdout == f"Nothing has run in {empty} yet (these look like one: work).\n"

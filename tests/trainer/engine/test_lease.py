"""Leases on a job's time."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.synthetic import TWO_SCENES, write_examples
from trainer.engine import lease

_SECONDS = 300.0


def _until(condition) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_lease_is_renewed_while_it_is_held_and_given_back_after(tmp_path):
    with lease.held(str(tmp_path), every=0.05):
        (file,) = (path for path in tmp_path.iterdir() if path.name != "looked-at")
        _age(file, 10_000)
        _until(lambda: time.time() - file.stat().st_mtime < 5)
    assert not file.exists()


def test_a_run_that_nobody_waits_for_is_told_once_if_there_is_a_folder_to_look_at(tmp_path):
    told: list[int] = []
    with (
        lease.watched(None, lambda: pytest.fail("told")),
        lease.watched(str(tmp_path), lambda: told.append(1), every=0.02),
    ):
        _until(lambda: told)
        time.sleep(0.2)
    assert told == [1]


def test_a_run_that_somebody_waits_for_is_left_alone(tmp_path):
    told: list[int] = []
    forgotten = tmp_path / "forgotten"
    forgotten.touch()
    _age(forgotten, 10_000)
    with (
        lease.held(str(tmp_path), every=0.05),
        lease.watched(str(tmp_path), lambda: told.append(1), seconds=5, every=0.02),
    ):
        time.sleep(0.5)
        assert not told


def test_a_lease_that_is_not_renewed_is_lost(tmp_path):
    told: list[int] = []
    left = tmp_path / "of-one-that-was-killed"
    left.touch()
    with lease.watched(str(tmp_path), lambda: told.append(1), seconds=600, every=0.02):
        time.sleep(0.2)
        assert not told
        _age(left, 700)
        _until(lambda: told)


def test_one_knows_of_others_that_wait(tmp_path):
    with lease.held(str(tmp_path)) as first:
        assert not first.is_shared
        with lease.held(str(tmp_path)) as second:
            first.renew()
            assert first.is_shared and second.is_shared
        first.renew()
        assert not first.is_shared


@pytest.mark.slow
def test_a_training_saves_itself_and_stops_when_nobody_waits(tmp_path):
    write_examples(tmp_path / "examples", TWO_SCENES)
    config = {
        "stages": [{"points_per_batch": 8, "patches_per_point": 2, "max_steps": 100_000}],
        "checkpoint_every": 1000,
        "strategy": "one_device",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    leases = tmp_path / "leases"
    code = (
        "import functools, sys; from trainer.engine import lease;"
        "lease.watched = functools.partial(lease.watched, seconds=600, every=0.1);"
        "from trainer.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["--config", "config.json", "--data", "examples", "--output", "output", "--resume"]
    words += ["--failure-file", "failure.json", "--lease-dir", "leases"]
    leases.mkdir()
    waiting = leases / "somebody"
    waiting.touch()
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *words], cwd=tmp_path, stdout=log, stderr=log
        )
        timeline = tmp_path / "output" / "timeline.json"
        _until(
            lambda: (
                process.poll() is not None
                or (timeline.exists() and "begins" in timeline.read_text())
            )
        )
        _age(waiting, 700)
        assert process.wait(_SECONDS) == 143
    assert "nobody waits for this run any more" in (tmp_path / "log").read_text()
    failure = json.loads((tmp_path / "failure.json").read_text())
    assert "the same command goes on from there" in failure["message"]
    assert list(tmp_path.glob("output/checkpoints/*/*/complete.json"))

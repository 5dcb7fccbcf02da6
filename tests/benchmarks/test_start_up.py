"""Start-up is measured of what starts."""

import sys
from pathlib import Path

import pytest

from benchmarks import start_up
from trainer.core.errors import UserError


def test_a_start_takes_time_of_both_kinds():
    code = "import time; time.sleep(.2); sum(range(2_000_000))"
    start = start_up.started((sys.executable, "-c", code))
    assert start.wall > 0.2
    assert start.cpu > 0


def test_a_start_that_fails_is_no_figure():
    with pytest.raises(RuntimeError, match="no such luck"):
        start_up.started((sys.executable, "-c", "raise SystemExit('no such luck')"))


def test_without_a_demo_there_is_nothing_to_rerun(tmp_path):
    with pytest.raises(UserError, match="make demo"):
        start_up.run(str(tmp_path))


@pytest.mark.slow
def test_a_tasks_start_comes_to_its_end(tmp_path):
    start_up.started(start_up._task("Trainer", str(tmp_path)))
    assert (Path(tmp_path) / "Trainer" / "executor_output.json").exists()

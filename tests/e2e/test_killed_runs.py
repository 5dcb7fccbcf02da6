"""Runs that are killed or stopped at a terminal, component by component."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.serving.production_model import served_model
from components.serving.pusher import push_log
from tests.e2e.conftest import _SMALL, LENIENT

pytestmark = pytest.mark.slow

# Those that work for a moment; the delay, in seconds, leads into the middle of it.
_DELAYS = {
    "PatchExampleGen": 0.6,
    "StatisticsGen": 0.5,
    "Transform": 0.1,
    "DescriptorTrainer": 2.0,
    "DescriptorEvaluator": 1.0,
    "ServingValidator": 1.5,
    "Pusher": 0.01,
}


def _run(work: Path, data: Path, component: str = "", number: int = 0) -> tuple[int, str]:
    """Runs the pipeline and sends it a signal once a component has started."""
    (work / "tmp").mkdir(parents=True, exist_ok=True)
    script = "from pipeline.cli import main; main()"
    sets = [word for text in (*_SMALL, *LENIENT) for word in ("--set", text)]
    process = subprocess.Popen(
        [sys.executable, "-c", script, "run", "--data", data, "--work", work / "run", *sets],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TMPDIR": str(work / "tmp"),
        },
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if component and f"{component}: started" in line:
            time.sleep(_DELAYS[component])
            process.send_signal(number)
    return process.wait(), "".join(lines)


def test_a_run_that_is_killed_everywhere_ends_with_one_pushed_model(
    tmp_path: Path, photographs: Path
):
    for component in _DELAYS:
        status, said = _run(tmp_path, photographs, component, signal.SIGKILL)
        # A fast machine may be through with the last one.
        assert status == -signal.SIGKILL or component == "Pusher", said
    status, said = _run(tmp_path, photographs)
    assert status == 0, said
    destination = str(tmp_path / "run" / "serving")
    (version,) = served_model.versions(destination)
    assert [entry.version for entry in push_log.read(destination)] == [version]
    assert not list((tmp_path / "tmp").glob("serving-validator-*"))
    assert not list((tmp_path / "run" / "serving").glob(".*"))


@pytest.mark.parametrize("component", ["PatchExampleGen", "StatisticsGen", "DescriptorEvaluator"])
def test_ctrl_c_ends_a_component_with_130_and_one_sentence(
    tmp_path: Path, photographs: Path, component: str
):
    status, said = _run(tmp_path, photographs, component, signal.SIGINT)
    assert status == 130, said
    assert said.endswith("; finished components are kept and not run again.\n")
    assert "Traceback" not in said

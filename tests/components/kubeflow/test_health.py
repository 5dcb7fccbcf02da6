"""`python -m components.kubeflow.health`."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_this_environment_could_start_every_task():
    done = subprocess.run(
        [sys.executable, "-m", "components.kubeflow.health"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "healthy\n"), done.stderr[-2000:]

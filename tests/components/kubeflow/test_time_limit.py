"""The time that a task may take."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_TASK = """
import os, signal, sys, time
from components.kubeflow import time_limit
{handler}
with time_limit.kept({{time_limit.HOURS: "{hours}"}}, seconds_to_end=0.5):
    time.sleep({sleep})
print("done")
"""


def _run(hours: float, sleep: float, handler: str = "") -> subprocess.CompletedProcess:
    code = _TASK.format(hours=hours, sleep=sleep, handler=handler)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_a_task_that_takes_longer_ends_with_a_sentence():
    ended = _run(hours=0.0001, sleep=60)
    assert ended.returncode == -signal.SIGTERM
    assert ended.stderr == (
        "UserError: the task took longer than 0.0001 hours, its timeout; set a longer one in "
        "platform.resources.COMPONENT.timeout_hours and compile again, or see in its log what it "
        "was waiting for\n"
    )


def test_one_that_does_not_end_on_sigterm_is_made_to():
    ended = _run(hours=0.0001, sleep=60, handler="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    assert ended.returncode == 124


@pytest.mark.parametrize("hours", [1, 24])
def test_one_within_its_time_is_left_alone(hours):
    ended = _run(hours=hours, sleep=0.01)
    assert ended.returncode == 0 and ended.stdout == "done\n"

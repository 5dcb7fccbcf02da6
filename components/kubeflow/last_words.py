"""Why a task ended, where Kubernetes keeps it.

What a container leaves in `/dev/termination-log` becomes part of its pod's state. Argo tells
it as the message of the task, whatever the log says after it: Kubeflow's launcher writes
lines of its own behind a task's last one.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PLACE = Path("/dev/termination-log")
_MOST_BYTES = 4096
"""Kubernetes cuts what is longer."""


def leave(sentence: str) -> None:
    """Leaves a sentence, unless there is one already or this is no container of Kubernetes."""
    with contextlib.suppress(OSError):
        if not PLACE.is_file() or PLACE.stat().st_size:
            return
        # A container has it as a single file that is mounted: no renaming.
        with open(PLACE, "r+b") as file:
            file.write(sentence.encode()[:_MOST_BYTES])
            file.flush()
            os.fsync(file.fileno())

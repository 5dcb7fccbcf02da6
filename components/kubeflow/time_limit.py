"""Ends a task that takes longer than it may.

Neither a task of a compiled pipeline nor its container has a limit of time that Kubeflow and
Vertex AI both know, so that the task keeps it itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.kubeflow import last_words

HOURS = "HPATCHES_TIMEOUT_HOURS"
"""Variable of a task's container that holds its limit."""

EXIT_STATUS = 124  # as the command `timeout` has it
_SECONDS_TO_END = 60.0


@dataclass
class Limit:
    """Whether a task took too long.

    Attributes:
        sentence: That says so; empty while it did not.
    """

    sentence: str = ""


@contextlib.contextmanager
def kept(
    environment: Mapping[str, str], seconds_to_end: float = _SECONDS_TO_END
) -> Iterator[Limit]:
    """Ends this process when the context is open for too long.

    SIGTERM comes first, on which a training saves itself.
    """
    limit = Limit()
    hours = environment.get(HOURS)
    if not hours:
        yield limit
        return

    def end() -> None:
        limit.sentence = (
            f"the task took longer than {float(hours):g} hours, its timeout; set a longer one in "
            f"platform.resources.COMPONENT.timeout_hours and compile again, or see in its log what "
            f"it was waiting for"
        )
        last_words.leave(limit.sentence)
        print(f"UserError: {limit.sentence}", file=sys.stderr, flush=True)
        threading.Timer(seconds_to_end, os._exit, [EXIT_STATUS]).start()
        os.kill(os.getpid(), signal.SIGTERM)

    timer = threading.Timer(float(hours) * 3600.0, end)
    timer.daemon = True
    timer.start()
    try:
        yield limit
    finally:
        timer.cancel()

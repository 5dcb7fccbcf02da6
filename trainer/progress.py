"""How long work tells whoever watches how far it is.

Work calls `report`; a terminal (or nobody) listens. The executors of a local
run live in the runner's process, so a module-level listener reaches them all.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_log = logging.getLogger("hpatches.progress")
_SECONDS_BETWEEN_LOG_LINES = 10.0


@dataclass(frozen=True)
class Progress:
    """One sign of life.

    Attributes:
        label: What is being done, e.g. `training stage 1 of 2`.
        done: Units finished so far.
        total: Units in all, or None when that is not known.
        detail: A few words on the state, e.g. `loss 0.93`.
    """

    label: str
    done: int
    total: int | None = None
    detail: str = ""


Listener = Callable[[Progress], None]
_listeners: list[Listener] = []
_last_logged = [0.0]


def report(label: str, done: int, total: int | None = None, detail: str = "") -> None:
    """Tells the listeners; without any, logs a line every few seconds."""
    event = Progress(label, done, total, detail)
    if _listeners:
        for listener in tuple(_listeners):
            listener(event)
        return
    now = time.monotonic()
    if now - _last_logged[0] >= _SECONDS_BETWEEN_LOG_LINES or done == total:
        _last_logged[0] = now
        _log.info("%s: %s of %s %s", label, done, "?" if total is None else total, detail)


@contextlib.contextmanager
def listen(listener: Listener) -> Iterator[None]:
    """Sends every report to `listener` while the context is open."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)

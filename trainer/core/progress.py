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
_SECONDS_MEASURED = 2.0  # before the pace of work is judged


@dataclass(frozen=True)
class Progress:
    """One sign of life.

    Attributes:
        label: Name of the work, e.g. `training stage 1 of 2`.
        done: Number of units finished so far.
        total: Number of units in all; None if unknown.
        detail: A few words on the state, e.g. `loss 0.93`.
        seconds_left: Estimate for this work, or None.
        seconds_left_in_all: Estimate for this work and what comes after it, or None.
        finished: Whether this sums up work that is over; a terminal leaves it standing.
    """

    label: str
    done: int
    total: int | None = None
    detail: str = ""
    seconds_left: float | None = None
    seconds_left_in_all: float | None = None
    finished: bool = False

    @property
    def count(self) -> str:
        """How much is done, e.g. `20/150`, or `20` of an unknown total."""
        return f"{self.done}" if self.total is None else f"{self.done}/{self.total}"

    @property
    def remaining(self) -> str:
        """The estimates in words; empty without any.

        Example:
            >>> Progress("training", 1, 3, seconds_left=80, seconds_left_in_all=723).remaining
            '1:20 left (12:03 in all)'
        """
        if self.seconds_left is None:
            return ""
        left = f"{duration(self.seconds_left)} left"
        if self.seconds_left_in_all is None or self.seconds_left_in_all <= self.seconds_left:
            return left
        return f"{left} ({duration(self.seconds_left_in_all)} in all)"


Listener = Callable[[Progress], None]
_listeners: list[Listener] = []
_last_logged = [0.0]
_paces: dict[str, tuple[float, int]] = {}  # by label: when it was first told of, and how far it was


def duration(seconds: float) -> str:
    """Writes a time as minutes and seconds, with hours where it has any.

    Example:
        >>> duration(80), duration(3723)
        ('1:20', '1:02:03')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def report(label: str, done: int, total: int | None = None, detail: str = "") -> None:
    """Tells the listeners; without any, logs a line every few seconds.

    What is left is estimated from the pace since the first report of the same label.
    """
    send(Progress(label, done, total, detail, _seconds_left(label, done, total)))


def _seconds_left(label: str, done: int, total: int | None) -> float | None:
    now = time.monotonic()
    began, first = _paces.setdefault(label, (now, done))
    if done < first or (done == first and done == 0):  # the same work begins again
        _paces[label] = began, first = now, done
    if total is None or done >= total:
        _paces.pop(label)
        return None
    if done == first or now - began < _SECONDS_MEASURED:
        return None
    return (now - began) / (done - first) * (total - done)


def send(event: Progress) -> None:
    """Does what `report` does with an event that has more to say."""
    if _listeners:
        for listener in tuple(_listeners):
            listener(event)
        return
    now = time.monotonic()
    due = now - _last_logged[0] >= _SECONDS_BETWEEN_LOG_LINES
    if due or event.finished or event.done == event.total:
        _last_logged[0] = now
        total = "?" if event.total is None else event.total
        said = " ".join(filter(None, (event.remaining, event.detail)))
        _log.info("%s: %s of %s %s", event.label, event.done, total, said)


@contextlib.contextmanager
def listen(listener: Listener) -> Iterator[None]:
    """Sends every report to `listener` while the context is open."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)

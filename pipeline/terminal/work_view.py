"""Shows how far a single piece of work is (`extract`, `describe`, `evaluate`)."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from trainer.core import progress
from trainer.core.progress import Progress

_SECONDS_BETWEEN_LINES = 10.0


@contextlib.contextmanager
def show_progress(console: Console | None = None) -> Iterator[None]:
    """Draws what `trainer.core.progress` reports while the context is open.

    It goes to standard error, so that a command's output can be piped: a bar that vanishes
    on a terminal, a line every few seconds elsewhere.
    """
    console = console or Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        with progress.listen(_Lines(console)):
            yield
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    with (
        Bars(*columns, console=console, transient=True) as bars,
        progress.listen(_Bar(bars)),
    ):
        yield


class _Bar:
    """One bar per kind of work."""

    def __init__(self, bars: Bars):
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Progress) -> None:
        with self._lock:
            if event.label not in self._tasks:
                self._tasks[event.label] = self._bars.add_task(event.label, detail="", total=None)
            self._bars.update(
                self._tasks[event.label],
                completed=event.done,
                total=event.total,
                detail=" ".join(filter(None, (event.remaining, event.detail))),
            )


class _Lines:
    """A line now and then, and one at the end."""

    def __init__(self, console: Console):
        self._console = console
        self._last = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, event: Progress) -> None:
        with self._lock:
            now = time.monotonic()
            if event.done != event.total and now - self._last < _SECONDS_BETWEEN_LINES:
                return
            self._last = now
        said = (event.label, event.count, event.remaining, event.detail)
        line = " ".join(filter(None, said))
        self._console.print(Text(line), soft_wrap=True)

"""Shows a run while it goes on: one line per component, progress inside the running one."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipeline.events import Event
from trainer.core.progress import Progress, duration

_SECONDS_BETWEEN_LINES = 10.0
_BAR_WIDTH = 24
_WIDE_ENOUGH = 110  # columns from which there is room for a bar
_MARKS = {"finished": ("✓", "green"), "cached": ("✓", "dim"), "failed": ("✗", "red")}


@dataclass
class _Row:
    component: str
    state: str = "started"
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    progress: Progress | None = None
    left_standing: list[Progress] = field(default_factory=list)
    spinner: Spinner = field(default_factory=lambda: Spinner("dots"))


class RunView:
    """A context that draws a live table on a terminal and writes plain lines elsewhere.

    Example:
        with RunView(console) as view, trainer.core.progress.listen(view.on_progress):
            local.run(config, on_event=view.on_event)
    """

    def __init__(self, console: Console, earlier: Mapping[str, float] | None = None):
        """Prepares the view; nothing is drawn before the context is entered.

        Args:
            console: Console to draw on.
            earlier: Seconds that each component took when it last ran, from which the rest of
                the run is estimated.
        """
        self._console = console
        self._earlier = earlier or {}
        self._begun = time.monotonic()
        self._place = (0, 0)
        self._rows: dict[str, _Row] = {}
        self._before: _Row | None = None
        self._lock = threading.RLock()  # Beam's threads report progress, too
        self._last_line = 0.0
        self._live: Live | None = None

    def __enter__(self) -> RunView:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, get_renderable=self._render, refresh_per_second=4
            )
            self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            for row in self._rows.values():
                if row.state == "started":  # interrupted: do not spin for ever
                    row.state = "stopped"
                    row.seconds = time.monotonic() - row.started
        if self._live is not None:
            self._live.__exit__(None, None, None)

    def say(self, what: str) -> None:
        """Tells what happens before the first component; the first event takes its place."""
        with self._lock:
            self._before = _Row(what)
        if self._live is None:
            self._console.print(Text(what), soft_wrap=True)

    def on_event(self, event: Event) -> None:
        """Takes note that a component started, finished, failed or was found in the cache."""
        with self._lock:
            self._before = None
            self._place = event.number, event.total
            row = self._rows.setdefault(event.component, _Row(event.component))
            row.state = event.kind
            if event.kind != "started":
                row.seconds = event.seconds
                row.progress = None
        if self._live is None:
            self._console.print(_line(event), soft_wrap=True)

    def on_progress(self, progress: Progress) -> None:
        """Takes note of how far the running component is."""
        with self._lock:
            running = [row for row in self._rows.values() if row.state == "started"]
            if not running:
                return
            row = running[-1]
            if progress.finished:
                row.left_standing.append(progress)
            row.progress = None if progress.finished else progress
            now = time.monotonic()
            over = progress.total is not None and progress.done >= progress.total
            finished = progress.finished or over
            quiet = now - self._last_line < _SECONDS_BETWEEN_LINES and not finished
            if self._live is not None or quiet:
                return
            self._last_line = now
        self._console.print(
            f"  {row.component}: {progress.label} {_said(progress)}",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )

    def _render(self) -> Group:
        """One line per component whatever the width: only the last column gives way.

        What a component left standing follows below it.
        """
        table = Table.grid(padding=(0, 1))
        for _ in ("mark", "name", "time", "bar"):
            table.add_column(no_wrap=True)
        # Its texts do not wrap, but the column may: otherwise rich narrows all columns alike.
        table.add_column(overflow="ellipsis")
        bar_width = _BAR_WIDTH if self._console.width >= _WIDE_ENOUGH else 0
        with self._lock:
            for row in (*self._rows.values(), *([self._before] if self._before else [])):
                table.add_row(*_cells(row, bar_width))
                for over in row.left_standing:
                    parts = (f"{over.label}:", _said(over))
                    text = " ".join(parts if bar_width else reversed(parts)).rstrip(":")
                    table.add_row("", "", "", "", Text(text, "dim", no_wrap=True))
            return Group(table, Text(self._whole_run(), "dim"))

    def _whole_run(self) -> str:
        """Says how far the run is, and how long the rest took when it last ran."""
        number, total = self._place
        if not total:
            return ""
        said = f"component {number} of {total}, {duration(time.monotonic() - self._begun)} so far"
        known = [row.component for row in self._rows.values()]
        left = sum(seconds for name, seconds in self._earlier.items() if name not in known)
        running = [row for row in self._rows.values() if row.state == "started"]
        if running:
            row, spent = running[-1], time.monotonic() - running[-1].started
            told = row.progress and (row.progress.seconds_left_in_all or row.progress.seconds_left)
            left += told or max(0.0, self._earlier.get(row.component, 0.0) - spent)
        return f"{said}, about {duration(left)} left" if self._earlier and running else said


def _cells(row: _Row, bar_width: int) -> tuple[RenderableType, ...]:
    """Returns mark, name, time, bar and what there is to say."""
    if row.state == "started":
        elapsed = Text(f"{time.monotonic() - row.started:.0f} s", style="cyan")
        name = Text(row.component, style="bold")
        return row.spinner, name, elapsed, *_progress_cells(row.progress, bar_width)
    mark, style = _MARKS.get(row.state, ("-", "yellow"))
    took = "cached" if row.state == "cached" else f"{row.seconds:.1f} s"
    said = "" if row.state in _MARKS else row.state
    return Text(mark, style), Text(row.component, style), Text(took, "dim"), "", Text(said, style)


def _progress_cells(progress: Progress | None, bar_width: int) -> tuple[RenderableType, ...]:
    """Returns bar and text, what matters first: a narrow terminal cuts the rest off.

    Where there is no room for a bar, the count stands for it.
    """
    if progress is None:
        return "", ""
    remaining = progress.remaining if bar_width else progress.remaining.partition(" (")[0]
    said = [progress.count, remaining, progress.label, progress.detail]
    if not bar_width:
        said = [progress.count, remaining, progress.detail, progress.label]
    text = Text(" ".join(filter(None, said)), no_wrap=True)
    if not progress.total or not bar_width:
        return "", text
    return ProgressBar(progress.total, progress.done, width=bar_width), text


def _said(progress: Progress) -> str:
    return " ".join(filter(None, (progress.count, progress.remaining, progress.detail)))


def _line(event: Event) -> Text:
    place = f"[{event.number}/{event.total}] {event.component}"
    if event.kind in ("started", "cached", "skipped"):
        return Text(f"{place}: {event.kind}")
    return Text(f"{place}: {event.kind} after {event.seconds:.1f} s")

"""The end of a run: what was measured, what the gate said, and where the model is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.descriptor_evaluator.verdict import TableRow, Verdict
from trainer.variants import NOISE_NAMES

_METRIC_NAMES = {"ap": "mAP", "auc": "AUC", "success_rate": "success rate"}
_NOTHING = "-"


@dataclass(frozen=True)
class Report:
    """What is left to tell when the pipeline has come to its end.

    Attributes:
        verdict: Of the gate.
        skipped: Name and reason of each image sequence that was left out.
        pushed: Whether the model stands at the push destination because of this verdict.
        not_pushed_reason: Why the Pusher left the destination as it was, else "".
        production_path: The model that is served now; "" when there is none.
    """

    verdict: Verdict
    skipped: Sequence[tuple[str, str]] = ()
    pushed: bool = False
    not_pushed_reason: str = ""
    production_path: str = ""


def print_report(console: Console, report: Report) -> None:
    """Prints the table of results, the verdict with its reasons and the model's place."""
    verdict = report.verdict
    if verdict.table:
        console.print(results_table(verdict.table))
    for name, reason in report.skipped:
        _say(console, f"Left out: {name}: {reason}", "yellow")
    _say(console, verdict.summary, "bold green" if verdict.blessed else "bold red")
    for reason in verdict.reasons:
        _say(console, f"  - {reason}", "red")
    for note in verdict.notes:
        _say(console, f"  {note}", "dim")
    if report.pushed:
        _say(console, f"Pushed: {report.production_path}", "green")
        return
    reason = f" ({report.not_pushed_reason})" if report.not_pushed_reason else ""
    _say(console, f"Nothing pushed{reason}.", "yellow")
    if report.production_path:
        _say(console, f"In production: {report.production_path}", "")


def results_table(rows: Sequence[TableRow]) -> Table:
    """Lays results out per task and noise, in per cent, baselines and production beside them."""
    baselines = list(dict.fromkeys(name for row in rows for name in row.baselines))
    table = Table(title="Held-out results in per cent", title_justify="left")
    table.add_column("task")
    table.add_column("noise")
    table.add_column("metric")
    for heading in ("model", "95 % interval", "sources", *baselines, "production", "change"):
        table.add_column(heading, justify="right")
    for task, group in itertools.groupby(rows, key=lambda row: (row.task, row.metric)):
        for number, row in enumerate(group):
            table.add_row(
                task[0] if number == 0 else "",
                NOISE_NAMES.get(row.noise, row.noise),
                _METRIC_NAMES.get(row.metric, row.metric),
                Text(_percent(row.candidate), "bold"),
                _interval(row.low, row.high),
                str(row.sources) if row.sources else _NOTHING,
                *(_percent(row.baselines.get(name, math.nan)) for name in baselines),
                _percent(row.production),
                _change(row),
            )
        table.add_section()
    return table


def _percent(value: float, sign: str = "") -> str:
    return _NOTHING if math.isnan(value) else f"{100 * value:{sign}.1f}"


def _interval(low: float, high: float, sign: str = "") -> str:
    if math.isnan(low) or math.isnan(high):
        return _NOTHING
    return f"{_percent(low, sign)} .. {_percent(high, sign)}"


def _change(row: TableRow) -> str:
    if row.change is None:
        return _NOTHING
    interval = _interval(row.change.low, row.change.high, "+")
    return _percent(row.change.mean, "+") + ("" if interval == _NOTHING else f" ({interval})")


def _say(console: Console, sentence: str, style: str) -> None:
    console.print(Text(sentence, style=style), soft_wrap=True)

"""The end of a run: what was measured, what the gate said, and where the model is."""

from __future__ import annotations

import functools
import itertools
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from components.descriptor_evaluator.gate.messages import METRIC_NAMES, percent, scenes
from components.descriptor_evaluator.gate.verdict import TableRow, Verdict
from pipeline.terminal.tables import print_fitting
from trainer.core.variants import NOISE_NAMES

_NOTHING = "-"


@dataclass(frozen=True)
class Report:
    """What is left to tell when the pipeline has come to its end.

    Attributes:
        verdict: Verdict of the gate.
        skipped: Name and reason of each image sequence that was left out.
        training: Sentences on a training that did not go as planned.
        remarks: Sentences on what a user may not expect of the data.
        pushed: Whether the model stands at the push destination because of this verdict.
        not_pushed_reason: Why the Pusher left the destination as it was, else "".
        production_path: The model that is served now; "" when there is none.
        candidate_path: The model that was judged, wherever it is; "" when it is not told.
        page: The report as an HTML file; "" when there is none.
        curves: Folder for TensorBoard with the trainings of the work folder; "" when there is none.
    """

    verdict: Verdict
    skipped: Sequence[tuple[str, str]] = ()
    training: Sequence[str] = ()
    remarks: Sequence[str] = ()
    pushed: bool = False
    not_pushed_reason: str = ""
    production_path: str = ""
    candidate_path: str = ""
    page: str = ""
    curves: str = ""


def print_report(console: Console, report: Report) -> None:
    """Prints the table of results, the verdict with its reasons and the model's place."""
    verdict = report.verdict
    if verdict.table:
        brief = functools.partial(results_table, verdict.table, brief=True)
        print_fitting(console, results_table(verdict.table), brief)
        for sentence in over_baselines(verdict.table):
            _say(console, sentence, "")
        console.print()
    for name, reason in report.skipped:
        _say(console, f"Left out: {name}: {reason}", "yellow")
    for sentence in report.training:
        _say(console, f"Training: {sentence}", "yellow")
    for remark in report.remarks:
        _say(console, f"Data: {remark}", "yellow")
    _say(console, verdict.summary, "bold green" if verdict.blessed else "bold red")
    for reason in verdict.reasons:
        _say(console, f"  - {reason}", "red")
    for note in verdict.notes:
        _say(console, f"  {note}", "dim")
    if report.page:
        _say(console, f"Report: {report.page}", "")
    if report.curves:
        _say(console, f"Curves: tensorboard --logdir {shlex.quote(report.curves)}", "")
    if report.pushed:
        _say(console, f"Pushed: {report.production_path}", "green")
        return
    reason = f" ({report.not_pushed_reason})" if report.not_pushed_reason else ""
    _say(console, f"Nothing pushed{reason}.", "yellow")
    if report.candidate_path and not verdict.blessed:
        _say(console, f"The refused model: {report.candidate_path}", "")
    if report.production_path:
        _say(console, f"In production: {report.production_path}", "")


def results_table(rows: Sequence[TableRow], brief: bool = False) -> Table:
    """Lays results out per task and noise, in per cent, baselines and production beside them.

    `brief` is for a narrow terminal: of production only the mean change is shown.
    """
    baselines = list(dict.fromkeys(name for row in rows for name in row.baselines))
    compared = any(not math.isnan(row.production) for row in rows)
    over = scenes(rows)
    table = Table(
        title=f"Held-out results in per cent{over and '; intervals over '}{over}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("task")
    table.add_column("noise")
    headings = ["model", "95 % interval", *(name.replace("-", "-\n", 1) for name in baselines)]
    if compared:
        headings += ["change"] if brief else ["production", "change"]
    for heading in headings:
        table.add_column(heading, justify="right")
    for (task, metric), group in itertools.groupby(rows, key=lambda row: (row.task, row.metric)):
        lines = list(group)
        labels = _labels(task, METRIC_NAMES.get(metric, metric), len(lines))
        for label, row in zip(labels, lines, strict=True):
            cells: list[RenderableType] = [
                label,
                NOISE_NAMES.get(row.noise, row.noise),
                Text(percent(row.candidate), "bold"),
                _interval(row.low, row.high),
                *(percent(row.baselines.get(name, math.nan)) for name in baselines),
            ]
            if compared:
                cells += [] if brief else [percent(row.production)]
                cells.append(_change(row, brief))
            table.add_row(*cells)
        table.add_section()
    return table


def over_baselines(rows: Sequence[TableRow]) -> list[str]:
    """Says how far the model is above each baseline, over all noise levels.

    Returns:
        One sentence per baseline that could be paired with the model, numbers in per cent.
    """
    told: dict[str, list[str]] = {}
    for row in rows:
        for name, change in row.over_baselines.items() if row.noise == "mean" else ():
            if not math.isnan(change.mean):
                interval = _interval(change.low, change.high, "+")
                ends = "" if interval == _NOTHING else f" ({interval})"
                told.setdefault(name, []).append(f"{row.task} {percent(change.mean, '+')}{ends}")
    return [f"Model minus {name}: {', '.join(parts)}" for name, parts in told.items()]


def _labels(task: str, metric: str, count: int) -> list[str]:
    """Names a group of lines: the task on the first one, what was measured below it."""
    if count == 1:
        return [f"{task} {metric}"]
    return [task, f"  {metric}"] + [""] * (count - 2)


def _interval(low: float, high: float, sign: str = "") -> str:
    if math.isnan(low) or math.isnan(high):
        return _NOTHING
    return f"{percent(low, sign)} .. {percent(high, sign)}"


def _change(row: TableRow, brief: bool) -> str:
    if row.change is None:
        return _NOTHING
    interval = _interval(row.change.low, row.change.high, "+")
    wanted = not brief and interval != _NOTHING
    return percent(row.change.mean, "+") + (f" ({interval})" if wanted else "")


def _say(console: Console, sentence: str, style: str) -> None:
    console.print(Text(sentence, style=style), soft_wrap=True)

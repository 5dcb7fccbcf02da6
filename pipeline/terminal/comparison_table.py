"""The comparison of two descriptors as a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.terminal.tables import KINDS, make_table, percent, print_remarks
from trainer.core.variants import NOISE_NAMES

if TYPE_CHECKING:
    from components.descriptor_evaluator.statistics.compare import Comparison

_STYLES = {"better": "green", "worse": "red", "not finite": "red"}
_MOST = 5  # sequences shown at either end


def print_comparison(console: Console, comparison: Comparison, names: tuple[str, str]) -> None:
    """Prints what was compared, in per cent, what is degenerate about either, and the notes."""
    console.print(_slices(comparison, names))
    if comparison.sequences:
        console.print(_sequences(comparison))
    console.print(Text(comparison.summary), soft_wrap=True)
    degenerate = [
        f"{name} is degenerate: {'; '.join(problems)}."
        for name, problems in zip(names, comparison.problems, strict=True)
        if problems
    ]
    print_remarks(console, degenerate, "red")
    print_remarks(console, comparison.notes)
    few = [item.scenes for item in comparison.slices if item.finding == "too few scenes"]
    if few:
        sentence = (
            f"{min(few)} scenes are too few to call a difference better or worse (at least 8 are "
            f"wanted)."
        )
        print_remarks(console, [sentence])


def _slices(comparison: Comparison, names: tuple[str, str]) -> Table:
    title = f"mAP in per cent, ties counted against; first: {names[0]}, second: {names[1]}"
    numbers = ("first", "second", "difference", "95 % interval")
    table = make_table(title, ("task", "kind", "noise"), numbers)
    table.add_column("first is")
    before = None
    for item in comparison.slices:
        part = item.slice
        if before is not None and before != (part.task, part.kind):
            table.add_section()
        first_of_block = before != (part.task, part.kind)
        before = (part.task, part.kind)
        interval = ""
        if math.isfinite(item.low):
            interval = f"{percent(item.low, '+')} .. {percent(item.high, '+')}"
        told: str = item.finding if item.finding != "too few scenes" else ""
        if math.isfinite(item.p):
            told += f" (p {item.p:.3f})" if item.p >= 0.001 else " (p < 0.001)"
        table.add_row(
            part.task if first_of_block else "",
            KINDS[part.kind] if first_of_block else "",
            NOISE_NAMES.get(part.noise, "mean"),
            percent(item.first),
            percent(item.second),
            percent(item.difference, "+"),
            interval,
            Text(told, style=_STYLES.get(item.finding, "")),
        )
    return table


def _sequences(comparison: Comparison) -> Table:
    """Returns the image sequences that differ most, in either direction."""
    shown = list(comparison.sequences)
    title = "matching mAP (ties counted against) of the image sequences"
    if len(shown) > 2 * _MOST:
        shown = [*shown[:_MOST], *shown[-_MOST:]]
        title += f" that differ most (of {len(comparison.sequences)})"
    table = make_table(title, ("sequence",), ("first", "second", "difference"))
    for item in shown:
        table.add_row(
            item.sequence,
            percent(item.first),
            percent(item.second),
            percent(item.difference, "+"),
        )
    return table

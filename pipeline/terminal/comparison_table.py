"""The comparison of two descriptors as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.terminal.tables import KINDS, make_table, percent, print_remarks, print_table
from trainer.core.variants import NOISE_NAMES

if TYPE_CHECKING:
    from components.descriptor_evaluator.statistics.compare import Comparison

_STYLES = {"better": "green", "worse": "red", "not finite": "red"}
_MOST = 5  # sequences shown at either end


def short_names(names: Sequence[str]) -> list[str]:
    """Returns the last parts of paths, as many as tell them apart.

    Example:
        >>> short_names(["work/serving/7", "old/serving/7", "pixels"])
        ['work/serving/7', 'old/serving/7', 'pixels']
        >>> short_names(["/models/a", "/models/b/"])
        ['a', 'b']
    """
    paths = [name.rstrip("/").split("/") for name in names]
    for parts in range(1, max(len(path) for path in paths)):
        shown = ["/".join(path[-parts:]) for path in paths]
        if len(set(shown)) == len(set(names)):
            return shown
    return list(names)


def print_comparison(console: Console, comparison: Comparison, names: tuple[str, str]) -> Table:
    """Prints what was compared, in per cent, what is degenerate about either, and the notes.

    Returns:
        The table of slices.
    """
    table = _slices(comparison, names)
    print_table(console, table)
    if comparison.sequences:
        print_table(console, _sequences(comparison, names))
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
            f"{max(few)} scenes are too few to call a difference better or worse (at least 8 are "
            f"wanted)."
        )
        print_remarks(console, [sentence])
    return table


def _slices(comparison: Comparison, names: tuple[str, str]) -> Table:
    title = Text(f"{names[0]} against {names[1]}: mAP in per cent, ties counted against")
    table = make_table(title, ("task", "noise"), (*names, "difference", "95 % interval"))
    table.add_column(Text(f"{names[0]}\nis"), overflow="fold")
    before = None
    for item in comparison.slices:
        part = item.slice
        if before is not None and before != (part.task, part.kind):
            table.add_section()
        first_of_block = before != (part.task, part.kind)
        before = (part.task, part.kind)
        interval = ""
        if math.isfinite(item.low):
            interval = f"{percent(item.low, '+')}..{percent(item.high, '+')}"
        told: str = item.finding if item.finding != "too few scenes" else ""
        if math.isfinite(item.p):
            told += f"\np {item.p:.3f}" if item.p >= 0.001 else "\np < 0.001"
        table.add_row(
            " ".join(filter(None, (part.task, KINDS[part.kind]))) if first_of_block else "",
            NOISE_NAMES.get(part.noise, "mean"),
            percent(item.first),
            percent(item.second),
            percent(item.difference, "+"),
            interval,
            Text(told, style=_STYLES.get(item.finding, "")),
        )
    return table


def _sequences(comparison: Comparison, names: tuple[str, str]) -> Table:
    """Returns the image sequences that differ most, in either direction."""
    shown = list(comparison.sequences)
    title = "matching mAP (ties counted against) of the image sequences"
    if len(shown) > 2 * _MOST:
        shown = [*shown[:_MOST], *shown[-_MOST:]]
        title += f" that differ most (of {len(comparison.sequences)})"
    table = make_table(title, ("sequence",), (*names, "difference"))
    for item in shown:
        table.add_row(
            item.sequence,
            percent(item.first),
            percent(item.second),
            percent(item.difference, "+"),
        )
    return table

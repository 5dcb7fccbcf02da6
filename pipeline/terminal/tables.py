"""What the tables of scores share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

KINDS = {"": "", "i": "illumination", "v": "viewpoint", "u": "unspecified"}


def make_table(title: str | None, texts: Sequence[str], numbers: Sequence[str]) -> Table:
    """Returns an empty table; its columns are `texts`, then `numbers`, which are aligned right."""
    table = Table(title=title, title_justify="left")
    for heading in texts:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def percent(value: float | None, sign: str = "") -> str:
    """Formats a fraction in per cent.

    Args:
        value: The fraction; None gives an empty cell.
        sign: `+` to show the sign.

    Example:
        >>> percent(0.4625), percent(0.01, "+"), percent(None)
        ('46.2', '+1.0', '')
    """
    return "" if value is None else f"{100 * value:{sign}.1f}"


def print_remarks(console: Console, sentences: Iterable[str], style: str = "yellow") -> None:
    """Prints sentences below a table, each on its own line."""
    for sentence in sentences:
        console.print(Text(sentence, style=style), soft_wrap=True)

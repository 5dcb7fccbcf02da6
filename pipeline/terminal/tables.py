"""What the tables of scores share."""

from __future__ import annotations

import csv
import io
import posixpath
import textwrap
from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from components.core.files import check_writable, write_text
from trainer.core.errors import UserError

_FORMATS = {".csv": "", ".md": "github", ".tex": "latex_booktabs"}  # tabulate's names

_UNLIMITED = 10_000  # columns
_HEADING = 16  # columns that a single word of a heading may take
KINDS = {"": "", "i": "illumination", "v": "viewpoint", "u": "unspecified"}


def make_table(title: str | Text | None, texts: Sequence[str], numbers: Sequence[str]) -> Table:
    """Returns an empty table; its columns are `texts`, then `numbers`, which are aligned right."""
    table = Table(title=title, title_justify="left")
    for heading in texts:
        table.add_column(Text(heading), overflow="fold")
    for heading in numbers:
        table.add_column(Text(heading), justify="right", overflow="fold")
    return table


def print_table(console: Console, table: Table) -> None:
    """Prints a table; on a narrow terminal without frames, so that no word is broken.

    Numbers stay on one line, headings above them and texts are wrapped between words.
    """
    if not _fits(console, table):
        table.box, table.padding = box.SIMPLE_HEAD, (0, 1, 0, 0)  # type: ignore[assignment]
        for column in table.columns:
            if column.justify != "right":
                continue
            heading = _plain(column.header)
            cells = [len(line) for cell in column.cells for line in str(cell).splitlines()]
            width = max([*cells, *(min(len(word), _HEADING) for word in heading.split()), 1])
            column.header = Text(textwrap.fill(heading, width))
            column.no_wrap = True
    console.print(table)


def print_fitting(console: Console, table: Table, brief: Callable[[], Table]) -> None:
    """Prints a table, or its brief form where the terminal is too narrow for it."""
    print_table(console, table if _fits(console, table) else brief())


def _fits(console: Console, table: Table) -> bool:
    unlimited = console.options.update(width=_UNLIMITED)
    return console.measure(table, options=unlimited).maximum <= console.width


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


def check_table_file(path: str | None) -> None:
    """Refuses a file that no table can be written to.

    Raises:
        UserError: When its ending says no format, or it cannot be written.
    """
    if path is None:
        return
    if posixpath.splitext(path)[1] not in _FORMATS:
        raise UserError(f"--table: found {path}, expected a name that ends in .csv, .md or .tex")
    check_writable("--table", path)


def save_table(path: str, table: Table) -> None:
    """Writes a table as CSV, Markdown or LaTeX (booktabs), as the file's ending says."""
    style = _FORMATS[posixpath.splitext(path)[1]]
    columns = [column for each in table.columns for column in _columns(each, apart=not style)]
    headings = [heading for heading, _ in columns]
    rows = list(zip(*(cells for _, cells in columns), strict=True))
    if not style:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([headings, *rows])
        write_text(path, text.getvalue())
        return
    from tabulate import tabulate

    sides = ["right" if column.justify == "right" else "left" for column in table.columns]
    shown = tabulate(rows, headings, style, colalign=sides, disable_numparse=True)
    write_text(path, shown + "\n")


def _columns(column: Column, apart: bool) -> list[tuple[str, list[str]]]:
    """Returns heading and cells of a column; `apart`, numbers and their intervals are two."""
    heading, cells = _plain(column.header), [str(cell) for cell in column.cells]
    if apart and column.justify == "right" and any("\n" in cell for cell in cells):
        parts = [cell.partition("\n") for cell in cells]
        return [
            (heading, [_plain(part[0]) for part in parts]),
            (f"{heading} interval", [_plain(part[2]) for part in parts]),
        ]
    return [(heading, [_plain(cell) for cell in column.cells])]


def _plain(cell: object) -> str:
    """Returns a cell's text on one line, without its style."""
    text = cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain
    return " ".join(text.split())

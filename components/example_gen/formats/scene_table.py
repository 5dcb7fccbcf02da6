"""`scenes.csv`: which scene each image sequence or photograph shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from components.core import files
from trainer.core.errors import UserError

FILE_NAME = "scenes.csv"
_OLD_NAME = "sources.csv"
_COLUMNS = ["name", "scene"]


def read(folder: str) -> dict[str, str]:
    """Reads the table beside the data: name -> scene; empty when there is none.

    Args:
        folder: Data folder. Names are image sequences, or stems of photographs. Names that
            the folder does not hold do no harm.

    Raises:
        UserError: When the table has other columns, an empty field, a name twice, or an old name.
    """
    path = files.join(folder, FILE_NAME)
    earlier = files.join(folder, _OLD_NAME)
    if files.exists(earlier):
        raise UserError(
            f"{earlier}: this file is called {FILE_NAME} now, with the columns name,scene; rename "
            "the file and its second column"
        )
    if not files.exists(path):
        return {}
    rows = files.read_csv(path)
    if not rows or [cell.strip() for cell in rows[0]] != _COLUMNS:
        first_line = ",".join(rows[0]) if rows else "nothing"
        raise UserError(f"{path}: the first line is '{first_line}', expected 'name,scene'")
    table: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        cells = [cell.strip() for cell in row]
        if len(cells) != 2 or not all(cells):
            raise UserError(
                f"{path}: row {number} is '{','.join(row)}', expected a name and a scene"
            )
        if not all(cell.isprintable() for cell in cells):
            raise UserError(f"{path}: row {number} holds control characters; take them out")
        if table.setdefault(cells[0], cells[1]) != cells[1]:
            raise UserError(f"{path}: row {number} gives {cells[0]} a second scene, expected one")
    return table


def format_table(scenes: Mapping[str, str]) -> str:
    """Returns the table's text, sorted by name."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(sorted(scenes.items()))
    return text.getvalue()

"""The numbers of `hpatches evaluate --task pairs` as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_KINDS = {"i": "all i_", "v": "all v_", "u": "all others"}


def print_pairs(console: Console, result: Mapping[str, Any]) -> None:
    """Prints rows for every image sequence, the kinds and the mean, and remarks.

    Args:
        console: Where to.
        result: As `evaluate_pairs` returns it.
    """
    found = result["descriptors"]
    mean = found[0]["mean"]
    table = Table(
        title=f"{len(result['data']['names'])} image sequences, {mean['pairs']} pairs: mean number "
        f"of matches and right ones (3 px), matching accuracy (MMA) and AUC of corner errors at "
        f"pixels, per cent",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("", overflow="fold")
    for heading in ("matches", "right"):
        table.add_column(heading, justify="right")
    for key, words in (("accuracy", "MMA"), ("corner_auc", "AUC")):
        for pixels in mean[key]:
            table.add_column(f"{words} {pixels}", justify="right")
    for name, rows in _rows(found):
        if len(rows) == 1:
            table.add_row(name, *_cells(rows[0][1]))
            continue
        table.add_row(name)
        for descriptor, values in rows:
            table.add_row(f" {descriptor}", *_cells(values))
    console.print(table)
    for note in result["data"]["notes"]:
        console.print(Text(note, style="yellow"), soft_wrap=True)


def _rows(found: list[dict[str, Any]]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Yields the sequences, the kinds if there are several, and the mean."""
    for name in found[0]["sequences"]:
        yield name, [(item["name"], item["sequences"][name]) for item in found]
    kinds = found[0]["by_kind"]
    for kind in kinds if len(kinds) > 1 else ():
        yield _KINDS[kind], [(item["name"], item["by_kind"][kind]) for item in found]
    yield "mean", [(item["name"], item["mean"]) for item in found]


def _cells(values: Mapping[str, Any]) -> list[str]:
    counts = [f"{values['matches']:.0f}", f"{values['right']['3']:.0f}"]
    shares = [*values["accuracy"].values(), *values["corner_auc"].values()]
    return [*counts, *(f"{100 * share:.1f}" for share in shares)]

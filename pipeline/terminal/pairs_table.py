"""The numbers of `hpatches evaluate --task pairs` as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console

from pipeline.terminal.tables import make_table, percent, print_remarks

_KINDS = {"i": "all i_", "v": "all v_", "u": "all others"}


def print_pairs(console: Console, result: Mapping[str, Any]) -> None:
    """Prints rows for every image sequence, the kinds and the mean, and remarks.

    Args:
        console: Console to print on.
        result: As `evaluate_pairs` returns it.
    """
    descriptors = result["descriptors"]
    mean = descriptors[0]["mean"]
    shares = [
        f"{words} {pixels}"
        for key, words in (("accuracy", "MMA"), ("corner_auc", "AUC"))
        for pixels in mean[key]
    ]
    table = make_table(
        f"{len(result['data']['names'])} image sequences, {mean['pairs']} pairs: mean number "
        f"of matches, right ones (3 px) and points found again, which bound those; matching "
        f"accuracy (MMA) and AUC of corner errors at pixels, per cent",
        ("",),
        ("matches", "right", "again", *shares),
    )
    table.box, table.padding = box.SIMPLE_HEAD, (0, 1, 0, 0)  # type: ignore[assignment]
    for name, rows in _rows(descriptors):
        if len(rows) == 1:
            table.add_row(name, *_cells(rows[0][1]))
            continue
        table.add_row(name)
        for descriptor, values in rows:
            table.add_row(f" {descriptor}", *_cells(values))
    console.print(table)
    print_remarks(console, result["data"]["notes"])


def _rows(descriptors: list[dict[str, Any]]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Yields the sequences, the kinds if there are several, and the mean."""
    for name in descriptors[0]["sequences"]:
        yield name, [(item["name"], item["sequences"][name]) for item in descriptors]
    kinds = descriptors[0]["by_kind"]
    for kind in kinds if len(kinds) > 1 else ():
        yield _KINDS[kind], [(item["name"], item["by_kind"][kind]) for item in descriptors]
    yield "mean", [(item["name"], item["mean"]) for item in descriptors]


def _cells(values: Mapping[str, Any]) -> list[str]:
    numbers = (values["matches"], values["right"]["3"], values["found_again"])
    counts = [f"{number:.0f}" for number in numbers]
    shares = [*values["accuracy"].values(), *values["corner_auc"].values()]
    return [*counts, *map(percent, shares)]

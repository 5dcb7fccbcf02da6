"""The counts of `hpatches match` as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from components.matching.settings import LEAST_INLIERS, RIGHT_WITHIN
from pipeline.terminal.tables import make_table, print_remarks, print_table

if TYPE_CHECKING:
    from components.matching.match import PairMatches, Result


def print_matches(console: Console, result: Result) -> None:
    """Prints a row for each descriptor, and a sentence for each without a homography.

    Args:
        console: Console to print on.
        result: As `match_files` returns it.
    """
    first, second = result.points
    known = result.descriptors[0].errors is not None
    right = [f"right within {pixels:g} px" for pixels in RIGHT_WITHIN]
    table = make_table(
        f"{first} points in A, {second} in B",
        ("descriptor",),
        ("matches", "inliers", *((*right, "corners off") if known else ())),
    )
    for matches in result.descriptors:
        table.add_row(matches.descriptor.name, *_cells(matches, RIGHT_WITHIN))
    print_table(console, table)
    print_remarks(console, _remarks(result))


def _cells(matches: PairMatches, limits: tuple[float, ...]) -> list[str]:
    cells = [str(len(matches)), "none" if matches.fit is None else str(matches.inliers.sum())]
    if matches.errors is not None:
        cells += [str((matches.errors <= limit).sum()) for limit in limits]
        cells.append("" if matches.corner_error is None else f"{matches.corner_error:.1f} px")
    return cells


def _remarks(result: Result) -> list[str]:
    remarks = [*result.notes]
    remarks += [
        f"{item.path} is {item.full_size[0]}x{item.full_size[1]} pixels and was matched at "
        f"{item.size[0]}x{item.size[1]}: pixels above are of that size (see --max-side)."
        for item in result.photographs
        if item.size != item.full_size
    ]
    remarks += [
        f"{matches.descriptor.name}: no homography has {LEAST_INLIERS} inliers or more among "
        f"{len(matches)} matches, and fewer agree by chance."
        for matches in result.descriptors
        if matches.fit is None
    ]
    return remarks

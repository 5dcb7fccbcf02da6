"""What the compiler said of all cases, as the table of docs/cloud.md."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.tpu.cases import Case
from benchmarks.tpu.chips import CHIPS
from benchmarks.tpu.compiler import Compiled

COLUMNS = (
    "chip", "cores", "program", "batch", "width", "compilation", "HBM", "operations", "traffic",
    "roofline", "bound by", "collectives",
)  # fmt: skip


def row(case: Case, found: Compiled) -> tuple[str, ...]:
    """Returns a case's cells, in the order of `COLUMNS`."""
    roofline = CHIPS[case.chip].roofline(found.flops, found.traffic)
    return (
        case.chip,
        str(case.cores),
        case.what,
        case.batch,
        f"{case.width:g}",
        f"{found.seconds:.0f} s",
        f"{found.memory / 1e6:,.0f} MB",
        f"{found.flops / 1e9:,.1f} G",
        f"{found.traffic / 1e9:,.2f} GB",
        f"{1e3 * roofline.seconds:.2f} ms",
        roofline.bound,
        _collectives(found),
    )


def _collectives(found: Compiled) -> str:
    if not found.collectives:
        return "-"
    counts = ", ".join(f"{count} {name}" for name, count in sorted(found.collectives.items()))
    return f"{counts}, {found.exchanged / 1e6:.1f} MB"


def markdown(results: Mapping[Case, Compiled]) -> str:
    """Returns the table in Markdown."""
    lines = (COLUMNS, ("---",) * len(COLUMNS), *(row(*item) for item in results.items()))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""What it costs to grow: a pipeline's stages on one, three and ten times the photographs.

Each size runs in a process of its own (`benchmarks.growth.stages`). Processor seconds are
compared, not those of the clock, as machines that measure are rarely idle; and per point, as
the photographs do not all give the same number of points.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from benchmarks.growth import needs
from benchmarks.harness import targets
from trainer.core.errors import UserError

PHOTOGRAPHS = {1: 6, 3: 18, 10: 60}  # by size
POINTS, FEW_POINTS = 150, 15  # of an image sequence; there are two for each photograph
MOST_TIMES, MOST_MEMORY = 10.5, 1.25
HELD = ("cut", "statistics", "pack", "describe", "score pairs and matches")
"""What has to grow with the data; retrieval is queries x pool, and the survey is within `cut`."""


def run(work: str) -> Group:
    """Returns processor seconds and peak memory by stage and size, and what large data need.

    Raises:
        MissedError: When a stage costs more than it should with ten times the data.
        UserError: When a size could not be measured.
    """
    folder = Path(work).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    few = _measured(folder, PHOTOGRAPHS[1], FEW_POINTS)
    results = {size: _measured(folder, count, POINTS) for size, count in PHOTOGRAPHS.items()}
    table = targets.held_to(table_of(results), figures_of(results))
    return Group(table, needs.table_of(needs.costs_of(few, results[1], results[max(results)])))


def _measured(folder: Path, photographs: int, points: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="growth-", dir=folder) as root:
        command = [sys.executable, "-m", "benchmarks.growth.stages", root]
        done = subprocess.run(
            [*command, str(photographs), str(points)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise UserError(f"{photographs} photographs failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def points_of(result: Mapping[str, Any], stage: str) -> int:
    """Returns how many points a stage or what it made is of; what is packed is the train split."""
    return result["trained_on" if stage in ("pack", "packed") else "points"]


def times(results: Mapping[int, Mapping[str, Any]], stage: str, size: int = 10) -> float:
    """Returns how many times the processor time of size 1 exactly `size` times its points take."""
    cost = {
        at: results[at]["stages"][stage]["cpu"] / points_of(results[at], stage) for at in (1, size)
    }
    return size * cost[size] / cost[1]


def memory(results: Mapping[int, Mapping[str, Any]], stage: str, size: int = 10) -> float:
    """Returns the peak memory of a size over that of size 1."""
    return results[size]["stages"][stage]["peak"] / results[1]["stages"][stage]["peak"]


def figures_of(results: Mapping[int, Mapping[str, Any]]) -> list[targets.Figure]:
    """Returns the figures that have targets: the worst of the stages in `HELD`."""
    slowest = max(HELD, key=lambda stage: times(results, stage))
    largest = max(HELD, key=lambda stage: memory(results, stage))
    return [
        targets.Figure(
            f"time of 10 times the data ({slowest})",
            times(results, slowest),
            "at most",
            MOST_TIMES,
            "x",
        ),
        targets.Figure(
            f"peak memory of 10 times the data ({largest})",
            memory(results, largest),
            "at most",
            MOST_MEMORY,
            "x",
        ),
    ]


def table_of(results: Mapping[int, Mapping[str, Any]]) -> Table:
    """Returns the table of all stages."""
    last = results[max(results)]
    counts = ", ".join(f"{result['points']:,}" for result in results.values())
    made = ", ".join(
        f"{name} {size / points_of(last, name):,.0f} bytes a point"
        for name, size in last["bytes"].items()
        if name != "manifest"
    )
    table = Table(
        title=f"{', '.join(map(str, PHOTOGRAPHS.values()))} photographs, {counts} points; {made}; "
        f"manifest {last['bytes']['manifest'] / last['sequences']:,.0f} bytes an image sequence"
    )
    table.add_column("stage")
    for size in results:
        table.add_column(f"CPU-s, {size} x", justify="right")
    table.add_column("ms a point, 10 x", justify="right")
    table.add_column("10 x data", justify="right")
    for size in results:
        table.add_column(f"peak MB, {size} x", justify="right")
    for stage in last["stages"]:
        costs = [result["stages"][stage] for result in results.values()]
        table.add_row(
            stage,
            *(f"{cost['cpu']:.1f}" for cost in costs),
            f"{1000 * costs[-1]['cpu'] / points_of(last, stage):.2f}",
            f"{times(results, stage):.1f} x",
            *(f"{cost['peak']:,.0f}" for cost in costs),
        )
    return table

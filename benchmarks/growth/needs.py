"""What large data would need, by the costs that were measured: arithmetic, not a measurement.

`docs/scale.md` explains every line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

WORKERS, CORES = 100, 4  # of a Dataflow job: n2-standard-4 or the like
HELD_OUT = 0.2  # of the points, which are described and scored
HOST_GIGABYTES = 192  # ct5lp-hightpu-4t, which has four chips of a v5e slice
USABLE = 0.75  # of that memory
MICROSECONDS_A_PATCH = 1.8  # to draw and copy one in one thread: `python -m benchmarks sampling`
_THUMBNAIL = 64 * 64  # numbers, float32, by which copies of photographs are found


@dataclass(frozen=True)
class Data:
    """What is to be trained on; a photograph becomes two image sequences."""

    name: str
    photographs: int
    points: int

    @property
    def sequences(self) -> int:
        """Image sequences."""
        return 2 * self.photographs


CASES = (
    Data("1,000 scenes", 1_000, 2_600_000),  # 1,300 points an image sequence, as HPatches has
    Data("100 million points", 38_500, 100_000_000),  # the same
    Data("1 million photographs", 1_000_000, 300_000_000),  # 150 points an image sequence
)


@dataclass(frozen=True)
class Costs:
    """Processor seconds and bytes.

    Attributes:
        photograph: Seconds to read one and to render its sequences, whatever is cut of them.
        point: Seconds to cut its 16 patches and write its record.
        statistics: Seconds a point.
        held_out: Seconds to describe and to score a point.
        pack: Seconds a point.
        survey: Seconds a photograph to look for copies.
        record: Bytes of a point in the shards.
        packed: Bytes of a point in the packed array.
        described: Bytes of a point's descriptors.
        entry: Bytes of an image sequence in the manifest.
    """

    photograph: float
    point: float
    statistics: float
    held_out: float
    pack: float
    survey: float
    record: float
    packed: float
    described: float
    entry: float


def costs_of(few: Mapping[str, Any], many: Mapping[str, Any], last: Mapping[str, Any]) -> Costs:
    """Returns the costs.

    Args:
        few: What a few points of some photographs took.
        many: What many points of the same photographs took.
        last: What the largest data took; as `benchmarks.growth.stages` prints them all.
    """
    seconds = {name: cost["cpu"] for name, cost in last["stages"].items()}
    cut = [result["stages"]["cut"]["cpu"] for result in (few, many)]
    point = max(0.0, (cut[1] - cut[0]) / (many["points"] - few["points"]))
    size, points = last["bytes"], last["points"]
    scored = seconds["score pairs and matches"] + seconds["score retrieval"]
    return Costs(
        photograph=(cut[1] - point * many["points"]) / many["photographs"],
        point=point,
        statistics=seconds["statistics"] / points,
        held_out=(seconds["describe"] + scored) / points,
        pack=seconds["pack"] / last["trained_on"],
        survey=seconds["survey"] / last["photographs"],
        record=size["examples"] / points,
        packed=size["packed"] / last["trained_on"],
        described=size["descriptors"] / points,
        entry=size["manifest"] / last["sequences"],
    )


def lines(data: Data, costs: Costs) -> dict[str, float]:
    """Returns what data need, by name."""
    trained_on = (1 - HELD_OUT) * data.points
    cut = data.photographs * costs.photograph + data.points * costs.point
    held_out = HELD_OUT * data.points
    beam = cut + data.points * costs.statistics + held_out * costs.held_out
    packed = trained_on * costs.packed
    hosts = max(1, math.ceil(packed / (USABLE * HOST_GIGABYTES * 1e9)))
    return {
        "shards, GB": data.points * costs.record / 1e9,
        "packed array, GB": packed / 1e9,
        "descriptors, GB": held_out * costs.described / 1e9,
        "manifest, MB": data.sequences * costs.entry / 1e6,
        "cutting, core-h": cut / 3600,
        "statistics, core-h": data.points * costs.statistics / 3600,
        "describing and scoring, core-h": held_out * costs.held_out / 3600,
        f"all that on {WORKERS} workers, h": beam / 3600 / (WORKERS * CORES),
        "looking for copies, in one task, core-h": data.photographs * costs.survey / 3600,
        "thumbnails in its memory, GB": data.photographs * _THUMBNAIL * 4 / 1e9,
        "comparing them, 10^12 operations": data.photographs**2 * _THUMBNAIL / 1e12,
        "packing on one machine, core-h": trained_on * costs.pack / 3600,
        "v5e hosts whose memory holds the array": hosts,
        "one look at each patch, fed by their threads, h": trained_on
        * 16
        * MICROSECONDS_A_PATCH
        / 1e6
        / 3600
        / hosts,
    }


def table_of(costs: Costs) -> Table:
    """Returns what each of `CASES` needs."""
    table = Table(
        title=f"By these costs, {costs.photograph:.2f} s a photograph and {1000 * costs.point:.2f} "
        "ms a point to cut (arithmetic)"
    )
    table.add_column("what")
    needed = [lines(data, costs) for data in CASES]
    for data in CASES:
        table.add_column(f"{data.name}\n{data.points / 1e6:,.1f} M points", justify="right")
    for name in needed[0]:
        table.add_row(name, *(f"{need[name]:,.3g}" for need in needed))
    return table

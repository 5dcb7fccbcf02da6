"""What an accelerator is fed with: the patches of each batch, or the rows of patches it has.

Counted in processor time of the thread that draws and of the one that hands over, from the
sampler to a tensor on the host. Sending it to the device comes on top, 1,024 bytes a patch or 4.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from rich.table import Table

from benchmarks.harness.targets import Figure, held_to
from benchmarks.training.sampling import cpu_seconds, mapped_patches, write_patches
from trainer.core.variants import NOISES
from trainer.data.batches import Sampler, SamplerState
from trainer.data.infeed import Infeed
from trainer.data.packing import PackedPatches

POINTS = 20_000
SHAPES = {"S 1024, K 2": (1024, 2), "S 512, K 2": (512, 2), "S 256, K 4": (256, 4)}
_BLOCK, _ROUNDS = 10, 5
_TIMES = 5.0


def run(work: str) -> Table:
    """Returns the table.

    Raises:
        MissedError: When rows alone are not drawn five times as fast.
    """
    folder = Path(work).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="infeed-", dir=folder) as temporary:
        file = Path(temporary) / "patches"
        write_patches(file, POINTS)
        seconds = measure(mapped_patches(file, POINTS))
    title = f"Infeed from {POINTS:,} points, ms of a processor a batch, median of {_ROUNDS}"
    table = Table(title=title)
    for column in ("batch", "patches", "rows", "times", "rows, patches/CPU-s"):
        table.add_column(column, justify="left" if column == "batch" else "right")
    times = {}
    for name, (points, patches_per_point) in SHAPES.items():
        patches, rows = (seconds[name, kind] for kind in (False, True))
        times[name] = patches / rows
        rate = points * patches_per_point / rows
        cells = (f"{1e3 * patches:.2f}", f"{1e3 * rows:.2f}", f"{times[name]:.1f}", f"{rate:,.0f}")
        table.add_row(name, *cells)
    return held_to(
        table, [Figure("rows against patches", min(times.values()), "at least", _TIMES, "times")]
    )


def measure(data: PackedPatches) -> dict[tuple[str, bool], float]:
    """Returns the seconds of a processor that a batch takes, by shape and whether rows are sent."""
    found: dict[tuple[str, bool], list[float]] = {}
    for _ in range(_ROUNDS):
        for name, shape in SHAPES.items():
            for rows in (False, True):
                found.setdefault((name, rows), []).append(_of_a_batch(data, *shape, rows))
    return {key: float(np.median(each)) for key, each in found.items()}


def _of_a_batch(data: PackedPatches, points: int, patches_per_point: int, rows: bool) -> float:
    """Returns the seconds of a processor over an epoch."""
    sampler = Sampler(data, points, patches_per_point, NOISES, SamplerState(seed=1))
    blocks = -(-len(data) // points // _BLOCK)
    with Infeed(sampler, _BLOCK, rows=rows) as infeed:

        def epoch() -> None:
            for block in range(blocks):
                tf.constant(infeed.take(_BLOCK, _BLOCK if block < blocks - 1 else 0))

        return cpu_seconds(epoch) / (blocks * _BLOCK)

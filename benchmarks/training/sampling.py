"""The sampler alone: its cost per patch as the data grow, and against what a step needs.

Both are counted in processor time. A step on all cores of the machine takes at most its
patches per CPU-second times the cores; the sampler has one core.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from rich.table import Table

from trainer.core.config import StageConfig, TrainerConfig
from trainer.core.variants import NOISES
from trainer.data.batches import Sampler, SamplerState
from trainer.data.image import Normalisation
from trainer.data.packing import PackedPatches
from trainer.data.resizing import PACKED_SHAPE
from trainer.engine.learner import Learner

SIZES = (10_000, 100_000, 1_000_000)  # patches
SHAPES = {"S 256, K 2": (256, 2, 0.0), "S 128, K 4": (128, 4, 0.0), "half alike": (128, 4, 0.5)}
_POINTS = 300  # of an image sequence; two image sequences of each scene
_BATCHES, _ROUNDS = 200, 5
_STEPS = 10


def run(work: str) -> Table:
    """Returns the table."""
    needed = step_demand()
    table = Table(
        title=f"Sampler, patches per CPU-second on one core, median of {_ROUNDS}; "
        f"the step (width 0.25, batch 512) takes {needed:,.0f} on {_cores()} cores"
    )
    for column in ("patches", "batch", "patches/CPU-s", "us/patch", "x 10^4", "x the step"):
        table.add_column(column, justify="left" if column == "batch" else "right")
    rates = sampler_rates(work)
    for (size, shape), rate in rates.items():
        table.add_row(
            f"{size:,}",
            shape,
            f"{rate:,.0f}",
            f"{1e6 / rate:.2f}",
            f"{rates[SIZES[0], shape] / rate:.2f}",
            f"{rate / needed:,.0f}",
        )
    return table


def sampler_rates(work: str, sizes: tuple[int, ...] = SIZES) -> dict[tuple[int, str], float]:
    """Returns patches per CPU-second by size and name of the shape, an epoch's layout included.

    Args:
        work: Gets a temporary file as large as the largest size.
        sizes: Patches.
    """
    folder = Path(work).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sampling-", dir=folder) as temporary:
        file = Path(temporary) / "patches"
        write_patches(file, max(sizes) // PACKED_SHAPE[0])
        rates_of: dict[tuple[int, str], list[float]] = {}
        for _ in range(_ROUNDS):
            for size in sizes:
                packed = mapped_patches(file, size // PACKED_SHAPE[0])
                for name, shape in SHAPES.items():
                    rates_of.setdefault((size, name), []).append(_drawn(packed, *shape))
    return {key: float(np.median(rates)) for key, rates in rates_of.items()}


def _drawn(
    packed: PackedPatches, points: int, patches_per_point: int, same_sequence_fraction: float
) -> float:
    """Returns patches per CPU-second over whole epochs."""
    state = SamplerState(seed=1)
    sampler = Sampler(packed, points, patches_per_point, NOISES, state, same_sequence_fraction)
    epochs = -(-_BATCHES * points // len(packed))
    batches = epochs * -(-len(packed) // points)

    def draw() -> None:
        for _ in range(batches):
            next(sampler)

    seconds = cpu_seconds(draw)
    return batches * points * patches_per_point / seconds


def step_demand() -> float:
    """Returns the patches that training takes in a second on all cores, at most."""
    stage = StageConfig(points_per_batch=128, patches_per_point=4)
    config = TrainerConfig(stages=(stage,), steps_per_loop=_STEPS)
    learner = Learner(config, tf.distribute.OneDeviceStrategy("/cpu:0"), Normalisation())
    batches = np.random.default_rng(0).integers(
        0, 256, (_STEPS, stage.batch, *PACKED_SHAPE[1:]), dtype=np.uint8
    )
    rates = np.full(_STEPS, 1e-3, np.float32)
    learner.train(batches, stage.patches_per_point, rates[:1], 0)  # traced

    def train() -> None:
        learner.train(batches, stage.patches_per_point, rates, 1)

    seconds = cpu_seconds(train)
    return _STEPS * stage.batch / seconds * _cores()


def write_patches(file: Path, points: int) -> None:
    """Writes patches of random bytes, uint8 [points, 16, 32, 32]."""
    rng = np.random.default_rng(0)
    with open(file, "wb") as opened:
        for start in range(0, points, 1024):
            part = (min(1024, points - start), *PACKED_SHAPE)
            opened.write(rng.integers(0, 256, part, dtype=np.uint8).tobytes())


def mapped_patches(file: Path, points: int) -> PackedPatches:
    """Returns them as a train split of two image sequences a scene."""
    patches = np.memmap(file, np.uint8, mode="r", shape=(points, *PACKED_SHAPE))
    sequence = np.arange(points, dtype=np.int32) // _POINTS
    scene = sequence // 2
    return PackedPatches(
        patches=patches,
        sequence=sequence,
        scene=scene,
        index=np.arange(points, dtype=np.int32) % _POINTS,
        sequences=tuple(f"u_{number}" for number in range(sequence[-1] + 1)),
        scenes=tuple(f"s_{number}" for number in range(scene[-1] + 1)),
        kinds=("u",) * int(sequence[-1] + 1),
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_seconds(work: Callable[[], None]) -> float:
    """Returns the processor time that work takes."""
    begin = time.process_time()
    work()
    return time.process_time() - begin

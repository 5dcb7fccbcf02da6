"""Describing patches against the model's own bare batched inference.

The bare rate is what the exported model does with batches that lie ready as tensors, at the
better of two batch sizes. Beside it, in turns: `describe_patches`, which is handed an array
and hands one back, and what the pipeline does with an image sequence, which also reads the
patches from their records and stores the descriptors.
"""

from __future__ import annotations

import posixpath
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmarks.harness import targets
from benchmarks.harness.timing import Spread
from components.descriptor_evaluator.descriptors import saved_model
from components.descriptor_evaluator.descriptors.describer import Describer
from components.descriptor_evaluator.descriptors.store import DescribeSequence
from trainer.core.errors import UserError
from trainer.data import records
from trainer.data.manifest import SequenceEntry
from trainer.model.names import PATCHES_INPUT, SERVING_SIGNATURE

POINTS = 400
ROUNDS = 9
BATCHES = (256, 1024)
ARRAY = "an array"
LEAST_RATIO = 0.95
_SHARD = "v_made_up-00000-of-00001"


def run(work: str) -> Table:
    """Returns patches per second of each way, and the ratio to the bare rate round by round.

    Raises:
        MissedError: When `describe_patches` is too far below the bare rate.
        UserError: When there is no model.
    """
    path = _served_model(work)
    random = np.random.default_rng(0)
    patches = random.integers(0, 256, (POINTS, *records.PATCH_SHAPE), np.uint8)
    with tempfile.TemporaryDirectory(prefix="describing-") as folder:
        ways = _bare_ways(path, patches) | _our_ways(path, patches, folder)
        wall: dict[str, list[float]] = {name: [] for name in ways}
        cpu: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                begin = time.perf_counter(), time.process_time()
                way()
                if number:  # the first time graphs are built
                    wall[name].append(time.perf_counter() - begin[0])
                    cpu[name].append(time.process_time() - begin[1])
    table = table_of(wall, cpu, patches.shape[0] * patches.shape[1])
    return targets.held_to(table, [target_of(wall)])


def target_of(wall: Mapping[str, Sequence[float]]) -> targets.Figure:
    """Returns the median ratio of `describe_patches` to the bare rate.

    Args:
        wall: Seconds by round of each way, the bare ones first.
    """
    ratio = _ratio_to_bare(wall, ARRAY).median
    return targets.Figure("describing an array, to the model alone", ratio, "at least", LEAST_RATIO)


def _ratio_to_bare(wall: Mapping[str, Sequence[float]], name: str) -> Spread:
    """Returns how a way's rate compares with the better of the bare ones, round by round."""
    bare = [wall[way] for way in list(wall)[: len(BATCHES)]]
    best = [min(seconds) for seconds in zip(*bare, strict=True)]
    return Spread.of(own / mine for own, mine in zip(best, wall[name], strict=True))


def _served_model(work: str) -> str:
    """Returns the newest model that the demo pushed."""
    served = Path(work) / "serving"
    versions = [path for path in served.glob("*") if path.name.isdigit()]
    if not versions:
        raise UserError(f"{served}: holds no model; run `make demo` first")
    return str(max(versions, key=lambda path: int(path.name)))


def _bare_ways(path: str, patches: np.ndarray) -> dict[str, Callable[[], None]]:
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    serve = loaded.signatures[SERVING_SIGNATURE]
    flat = patches.reshape(-1, *patches.shape[2:])

    def bare(batches: list) -> Callable[[], None]:
        def infer() -> None:
            for batch in batches:
                serve(**{PATCHES_INPUT: batch})

        infer.loaded = loaded  # type: ignore[attr-defined]  # its variables must outlive it
        return infer

    return {
        f"the model alone, batches of {size}": bare(
            [tf.constant(flat[start : start + size]) for start in range(0, len(flat), size)]
        )
        for size in BATCHES
    }


def _our_ways(path: str, patches: np.ndarray, folder: str) -> dict[str, Callable[[], None]]:
    model = saved_model.load_model(path)
    entry = _write_records(patches, folder)
    step = DescribeSequence(
        folder, [Describer("candidate", model=path)], posixpath.join(folder, "descriptors"), 1
    )
    return {
        ARRAY: lambda: (saved_model.describe_patches(model, patches), None)[1],
        "an image sequence, read and stored": lambda: list(step.process(entry)).clear(),
    }


def _write_records(patches: np.ndarray, folder: str) -> SequenceEntry:
    import tensorflow as tf

    with tf.io.TFRecordWriter(posixpath.join(folder, _SHARD)) as writer:
        for index, item in enumerate(patches):
            record = records.PointPatches("v_made_up", "made_up", "v", index, item)
            writer.write(records.encode(record))
    return SequenceEntry(
        name="v_made_up", scene="made_up", kind="v", count=len(patches), shards=(_SHARD,),
        checksum="",
    )  # fmt: skip


def table_of(wall: dict[str, list[float]], cpu: dict[str, list[float]], patches: int) -> Table:
    """Returns rates, processor seconds and ratios of each way."""
    table = Table(title=f"Describing {patches:,} patches, median of {ROUNDS} rounds (least-most)")
    for column in ("what is described", "patches/s", "CPU-s", "rate to the model alone"):
        table.add_column(column, justify="left" if column.startswith("what") else "right")
    for name, seconds in wall.items():
        table.add_row(
            name,
            f"{patches / float(np.median(seconds)):,.0f}",
            f"{float(np.median(cpu[name])):.2f}",
            str(_ratio_to_bare(wall, name)),
        )
    return table

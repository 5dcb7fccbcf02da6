"""Peak memory of whole training runs on one and on ten times the data.

Every run is a process of its own, from the shards to the SavedModel, and sees each patch
sequence of the larger data at least once. `VmHWM` is the most memory the process ever held,
mapped files included; `RssAnon` is the part that no file backs.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import tensorflow as tf
from rich.table import Table

from trainer.core.config import ModelConfig, StageConfig, TrainerConfig, ValidationConfig
from trainer.core.errors import UserError
from trainer.data import manifest, records
from trainer.engine.loop import Folders, train

SIZES = (2_000, 20_000)  # points to train on; a tenth as many to validate on
_POINTS = 500  # of an image sequence
_BATCH = 256
_SAMPLED_EVERY = 0.05  # seconds
_MEGABYTE = 2**20
_STATUS = Path("/proc/self/status")


def run(work: str) -> Table:
    """Returns the table."""
    first, last = SIZES
    peaks = {size: measure(size, max(SIZES), work) for size in SIZES}
    table = Table(title=f"Peak memory of a training run, {last // first} times the data")
    for column in ("points", "packed MB", "peak RSS MB", "of it not mapped", "ratio"):
        table.add_column(column, justify="right")
    for size, peak in peaks.items():
        table.add_row(
            f"{size:,}",
            f"{peak['packed'] / _MEGABYTE:,.0f}",
            f"{peak['resident'] / _MEGABYTE:,.0f}",
            f"{peak['anonymous'] / _MEGABYTE:,.0f}",
            f"{peak['resident'] / peaks[first]['resident']:.2f}",
        )
    return table


def measure(size: int, seen: int, work: str) -> dict[str, int]:
    """Trains in a process of its own.

    Args:
        size: Points of the train split.
        seen: Points drawn while training, repetitions included.
        work: Gets a temporary folder with the data.

    Returns:
        Bytes: `packed` (train and val), `resident` (peak) and `anonymous` (peak).

    Raises:
        UserError: Where the system does not tell a process's memory.
    """
    if not _STATUS.exists():
        raise UserError(f"{_STATUS}: not there; memory can be measured on Linux only")
    folder = Path(work).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="memory-", dir=folder) as temporary:
        write_examples(Path(temporary) / "examples", size)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.training.memory", temporary, str(seen)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"the training of {size} points failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def write_examples(root: Path, size: int) -> None:
    """Writes shards and manifest: noise, as nothing is to be learned.

    Args:
        root: Folder to write.
        size: Points of `train`; `val` gets a tenth.
    """
    splits = {}
    for split, count in (("train", size), ("val", size // 10)):
        (root / f"Split-{split}").mkdir(parents=True)
        begins = range(0, count, _POINTS)
        splits[split] = tuple(
            _write_sequence(root, split, number, min(_POINTS, count - begin))
            for number, begin in enumerate(begins)
        )
    manifest.write(manifest.Manifest(splits=splits), str(root))  # type: ignore[arg-type]


def _write_sequence(root: Path, split: str, number: int, count: int) -> manifest.SequenceEntry:
    name, scene = f"v_{split}{number:03}", f"{split}{number:03}"
    shard = f"Split-{split}/{name}-00000-of-00001"
    noise = np.random.default_rng(number).integers(
        0, 256, records.PATCH_BYTES + count, dtype=np.uint8
    )
    digest = hashlib.sha256()
    with tf.io.TFRecordWriter(str(root / shard)) as writer:
        for index in range(count):
            patches = noise[index : index + records.PATCH_BYTES].reshape(records.PATCH_SHAPE)
            record = records.encode(records.PointPatches(name, scene, "v", index, patches))
            digest.update(record)
            writer.write(record)
    return manifest.SequenceEntry(
        name=name,
        scene=scene,
        kind="v",
        count=count,
        shards=(shard,),
        checksum=digest.hexdigest(),
    )


def _train(folder: str, seen: int) -> dict[str, int]:
    """Trains in this process and returns its peaks."""
    stage = StageConfig(
        points_per_batch=_BATCH,
        patches_per_point=2,
        learning_rate=1e-3,
        max_steps=-(-seen // _BATCH),
    )
    config = TrainerConfig(
        model=ModelConfig(width=0.125, dimension=64, normalise="dataset"),
        stages=(stage,),
        validation=ValidationConfig(every_steps=40),
        strategy="one_device",
    )
    examples, output, logs, packed_dir = (
        f"{folder}/{name}" for name in ("examples", "model", "logs", "packed")
    )
    with _AnonymousPeak() as anonymous:
        train(config, examples, None, Folders(output, logs, packed=packed_dir))
    packed = sum(file.stat().st_size for file in Path(packed_dir).rglob("*.npy"))
    resident = _status("VmHWM")
    return {"packed": packed, "resident": resident, "anonymous": anonymous.bytes}


class _AnonymousPeak:
    """Looks again and again how much memory no file backs, while the context is open.

    Attributes:
        bytes: The most that was seen.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _AnonymousPeak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLED_EVERY):
            self.bytes = max(self.bytes, _status("RssAnon"))


def _status(key: str) -> int:
    """Returns an entry of this process's status, in bytes."""
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    print(json.dumps(_train(sys.argv[1], int(sys.argv[2]))))

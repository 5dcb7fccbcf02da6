"""The few points that a model is tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from trainer.core.variants import EVAL, PATCH_SIZE, UNSPECIFIED, VARIANTS
from trainer.data import manifest, records

PATCHES_FILE = "patches.npy"
RECORDS_FILE = "records.tfrecord"
_SEED = 65


def write(examples_uri: str | None, folder: str, count: int) -> None:
    """Writes `patches.npy` (uint8 [count, 16, 65, 65]) and the same as `records.tfrecord`.

    Args:
        examples_uri: ExampleGen's output; its evaluation split is read from the start.
            Without it, or when that split is empty, the patches are noise.
        folder: Local folder.
        count: Number of points, at most.
    """
    sequences = _read(examples_uri, count) if examples_uri else []
    if not sequences:
        sequences = _noise(count)
    np.save(Path(folder, PATCHES_FILE), np.stack([s.patches for s in sequences]))
    with tf.io.TFRecordWriter(str(Path(folder, RECORDS_FILE))) as writer:
        for sequence in sequences:
            writer.write(records.encode(sequence))


def _read(examples_uri: str, count: int) -> list:
    sequences: list[records.PointPatches] = []
    for path in manifest.read(examples_uri).shard_paths(examples_uri, EVAL):
        for sequence in records.read_shard(path):
            sequences.append(sequence)
            if len(sequences) == count:
                return sequences
    return sequences


def _noise(count: int) -> list:
    shape = (count, len(VARIANTS), PATCH_SIZE, PATCH_SIZE)
    pixels = np.random.default_rng([_SEED]).integers(0, 256, shape, np.uint8)
    return [
        records.PointPatches("u_noise", "noise", UNSPECIFIED, index, patches)
        for index, patches in enumerate(pixels)
    ]

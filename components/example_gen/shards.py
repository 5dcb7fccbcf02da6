"""Writes the shards of one image sequence: the Beam step behind ExampleGen."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from itertools import islice
from typing import Any

import apache_beam as beam
import tensorflow as tf

from components.core import files
from components.example_gen.formats import reading
from components.example_gen.formats.base import PatchSet
from components.example_gen.settings import DataSettings
from trainer.core.errors import UserError
from trainer.core.files import writing
from trainer.core.progress import report
from trainer.data import records

# TensorFlow is imported inside the functions: a Beam worker process that has not reached
# them yet then starts in one second instead of ten.

# 512 records of 68 kB: shards of 35 MB, small enough to retry, large enough to stream.
RECORDS_PER_SHARD = 512
ENTRIES = "_entries"


class WriteShards(beam.DoFn):
    """Cuts the patches of one image sequence and writes its shards, whole or not at all.

    What was written (or skipped) is noted as `_entries/<sequence>.json`; the executor makes
    the manifest of these notes, so that no result has to travel back through the runner.

    Elements are pairs (split name, `SequenceInput`).
    """

    def __init__(self, settings: DataSettings, root: str, total: int):
        self._settings = settings
        self._root = root
        self._total = total
        self._done = 0

    def process(self, element: tuple[str, reading.SequenceInput]) -> Iterator[None]:
        """Handles one image sequence.

        Raises:
            UserError: When its files cannot be used (unless bad sequences are skipped) or
                the disk is full.
        """
        split, item = element
        try:
            patch_set = reading.load_sequence(item, self._settings.of_split(split))
            if not len(patch_set):
                raise UserError(
                    f"{item.name}: no patch could be cut; expected an image with texture whose "
                    "detections stay inside all of its target images"
                )
        except UserError as error:
            if not self._settings.skip_bad_sequences:
                raise
            entry = {"skipped": {"name": item.name, "reason": str(error)}}
        else:
            entry = _write(patch_set, split, self._root)
        files.write_json(files.join(self._root, ENTRIES, f"{item.name}.json"), entry)
        self._done += 1
        report("cutting patches", self._done, self._total, item.name)
        yield from ()


def _write(patch_set: PatchSet, split: str, root: str) -> dict[str, Any]:
    """Writes the shards of an image sequence; returns its manifest entry, split and remarks."""
    count = len(patch_set)
    shards = -(-count // RECORDS_PER_SHARD)
    names = [
        f"Split-{split}/{patch_set.name}-{number:05d}-of-{shards:05d}" for number in range(shards)
    ]
    digest = hashlib.sha256()
    serialized = (records.encode(record) for record in patch_set.records())
    for name in names:
        _write_shard(files.join(root, name), serialized, digest)
    return {
        "split": split,
        "name": patch_set.name,
        "scene": patch_set.scene,
        "kind": patch_set.kind,
        "count": count,
        "shards": names,
        "checksum": digest.hexdigest(),
        "without_content": int(patch_set.statistics.get("without_content", 0)),
        "remarks": patch_set.remarks,
    }


def _write_shard(path: str, serialized: Iterator[bytes], digest: Any) -> None:
    """Writes the next `RECORDS_PER_SHARD` records under a temporary name, then renames."""
    temporary = posixpath.join(posixpath.dirname(path), f"_tmp-{posixpath.basename(path)}")
    try:
        with writing(path):
            tf.io.gfile.makedirs(posixpath.dirname(path))
            with tf.io.TFRecordWriter(temporary) as writer:
                for record in islice(serialized, RECORDS_PER_SHARD):
                    writer.write(record)
                    digest.update(record)
            tf.io.gfile.rename(temporary, path, overwrite=True)
    finally:
        if tf.io.gfile.exists(temporary):
            tf.io.gfile.remove(temporary)

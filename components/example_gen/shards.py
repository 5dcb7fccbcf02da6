"""Writes the shards of one image sequence: the Beam step behind ExampleGen."""

from __future__ import annotations

import contextlib
import hashlib
import json
import posixpath
from collections.abc import Iterator
from itertools import islice
from typing import Any

import apache_beam as beam

from components.example_gen.formats import registry
from components.example_gen.settings import DataSettings
from trainer.core.errors import UserError
from trainer.core.progress import report

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

    def process(self, element: tuple[str, registry.SequenceInput]) -> Iterator[None]:
        """Handles one image sequence.

        Raises:
            UserError: When its files cannot be used (unless bad sequences are skipped) or
                the disk is full.
        """
        split, item = element
        try:
            entry = self._write(split, item)
        except UserError as error:
            if not self._settings.skip_bad_sequences or isinstance(error, UnwritableError):
                raise
            entry = {"skipped": {"name": item.name, "reason": str(error)}}
        _write_json(posixpath.join(self._root, ENTRIES, f"{item.name}.json"), entry)
        self._done += 1
        report("cutting patches", self._done, self._total, item.name)
        yield from ()

    def _write(self, split: str, item: registry.SequenceInput) -> dict[str, Any]:
        from trainer.data import records

        patch_set = registry.load_sequence(item, self._settings)
        count = len(patch_set.patches)
        if count == 0:
            raise UserError(
                f"{item.name}: no patch could be cut; expected an image with texture whose "
                "detections stay inside all of its target images"
            )
        shards = -(-count // RECORDS_PER_SHARD)
        names = [
            f"Split-{split}/{item.name}-{number:05d}-of-{shards:05d}" for number in range(shards)
        ]
        digest = hashlib.sha256()
        serialized = (records.encode(record) for record in patch_set.records())
        for name in names:
            _write_shard(posixpath.join(self._root, name), serialized, digest)
        return {
            "split": split,
            "name": item.name,
            "source": item.source,
            "kind": item.kind,
            "count": count,
            "shards": names,
            "checksum": digest.hexdigest(),
        }


class UnwritableError(UserError):
    """The disk refused: never a reason to skip a sequence and go on."""


def _write_shard(path: str, serialized: Iterator[bytes], digest: Any) -> None:
    """Writes the next `RECORDS_PER_SHARD` records under a temporary name, then renames."""
    import tensorflow as tf

    temporary = posixpath.join(posixpath.dirname(path), f"_tmp-{posixpath.basename(path)}")
    with _told_when_unwritable(path, temporary):
        tf.io.gfile.makedirs(posixpath.dirname(path))
        with tf.io.TFRecordWriter(temporary) as writer:
            for record in islice(serialized, RECORDS_PER_SHARD):
                writer.write(record)
                digest.update(record)
        tf.io.gfile.rename(temporary, path, overwrite=True)


def _write_json(path: str, content: dict[str, Any]) -> None:
    import tensorflow as tf

    with _told_when_unwritable(path, path):
        tf.io.gfile.makedirs(posixpath.dirname(path))
        with tf.io.gfile.GFile(path, "w") as file:
            file.write(json.dumps(content))


@contextlib.contextmanager
def _told_when_unwritable(path: str, remains: str) -> Iterator[None]:
    """Turns a full or read-only disk into one sentence and removes what was half written."""
    import tensorflow as tf

    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        if tf.io.gfile.exists(remains):
            tf.io.gfile.remove(remains)
        reason = (getattr(error, "message", None) or str(error)).splitlines()[0]
        reason = reason.rpartition("; ")[2]  # TensorFlow puts the path before it
        raise UnwritableError(
            f"{path}: could not be written ({reason}); expected a writable folder with room "
            "for 68 kB per patch sequence; free some space or choose another folder with --work"
        ) from error

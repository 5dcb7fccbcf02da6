"""The manifest that lies beside the shards: what was written, what was left out, and why."""

from __future__ import annotations

import hashlib
import posixpath
from typing import Any, Literal

import tensorflow as tf
from pydantic import Field, ValidationError

from trainer.core.errors import UserError
from trainer.core.files import write_text
from trainer.core.settings import Settings
from trainer.core.validation_messages import first_problem
from trainer.core.variants import SplitName

FILE_NAME = "manifest.json"


class SequenceEntry(Settings):
    """One image sequence of a split.

    Attributes:
        name: Image sequence.
        scene: Scene that it shows.
        kind: `i` (illumination), `v` (viewpoint) or `u` (unspecified).
        count: Number of points, 0 or more.
        shards: File names relative to the manifest's folder, in index order.
        checksum: sha256 over the serialized records, in order.
        without_content: Number of points that were left out since one of their patches is
            nearly one grey.
    """

    name: str
    scene: str
    kind: str
    count: int = Field(ge=0)
    shards: tuple[str, ...]
    checksum: str
    without_content: int = Field(default=0, ge=0)


class SkippedSequence(Settings):
    """An image sequence that was left out with `--skip-bad-sequences`."""

    name: str
    reason: str


class Manifest(Settings):
    """The content of `manifest.json`.

    Attributes:
        splits: Image sequences of each split, sorted by name.
        skipped: Image sequences that were left out, with the reason.
        remarks: Sentences on what a user may not expect of the data.
        settings: The data settings the examples were made with (for the report and for
            the exported model's identity).
    """

    version: Literal[1] = 1
    splits: dict[SplitName, tuple[SequenceEntry, ...]]
    skipped: tuple[SkippedSequence, ...] = ()
    remarks: tuple[str, ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict)

    @property
    def checksum(self) -> str:
        """sha256 over the content of every split: equal data, equal checksum."""
        digest = hashlib.sha256()
        for split in sorted(self.splits):
            for entry in self.splits[split]:  # type: ignore[index]
                digest.update(f"{split}/{entry.name}/{entry.scene}/{entry.checksum}\n".encode())
        return digest.hexdigest()

    def count(self, split: SplitName) -> int:
        """Number of points of a split."""
        return sum(entry.count for entry in self.splits.get(split, ()))

    def shard_paths(self, root: str, split: SplitName) -> list[str]:
        """Full paths of a split's shards, ordered by (sequence, index)."""
        return [
            posixpath.join(root, shard)
            for entry in self.splits.get(split, ())
            for shard in entry.shards
        ]


def write(manifest: Manifest, root: str) -> str:
    """Writes `manifest.json` under `root` (whole or not at all) and returns its path."""
    path = posixpath.join(root, FILE_NAME)
    write_text(path, manifest.model_dump_json(indent=1))
    return path


def read(root: str) -> Manifest:
    """Reads the manifest of an examples folder.

    Raises:
        UserError: When there is none or it cannot be understood.
    """
    path = posixpath.join(root, FILE_NAME)
    if not tf.io.gfile.exists(path):
        raise UserError(
            f"{path}: there is no manifest; expected a folder written by the pipeline's ExampleGen"
        )
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            text = file.read()
    except tf.errors.OpError as error:
        raise UserError(f"{path}: cannot be read ({error.message})") from error
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise UserError(
            f"{path}: not a manifest of this version ({first_problem(error)})"
        ) from error

"""Describes image sequences in Beam and keeps the descriptors as files.

Per descriptor and image sequence there is `<name>/<sequence>.npy` (float32 [16, N, D]) or
`<name>/<sequence>.failed` with a sentence. A model that cannot describe is a finding about
the model, not an error of the run; a shard that cannot be read, a reference of the user's
that cannot be used, and a failing machine are errors of the run.
"""

from __future__ import annotations

import io
import logging
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import tensorflow as tf

from components.core import files
from components.descriptor_evaluator.descriptors.describer import (
    Describer,
    ModelError,
    machinery_errors,
    reference_error,
)
from components.descriptor_evaluator.protocol import tasks
from trainer.core.errors import UserError
from trainer.core.progress import report
from trainer.data import records
from trainer.data.manifest import SequenceEntry

# TensorFlow is imported inside the functions: a Beam worker process that has not reached
# them yet then starts in one second instead of ten.

_log = logging.getLogger(__name__)


class DescribeSequence(beam.DoFn):
    """Writes the descriptors of one image sequence; elements are `SequenceEntry`."""

    def __init__(
        self,
        examples: str,
        describers: Sequence[Describer],
        folder: str,
        total: int,
    ):
        self._examples = examples
        self._describers = tuple(describers)
        self._folder = folder
        self._total = total
        self._done = 0
        self._loaded: dict[str, Callable[[str, np.ndarray], np.ndarray]] = {}

    def process(self, entry: SequenceEntry) -> Iterator[None]:
        """Handles one image sequence.

        Raises:
            UserError: When its shards cannot be read, or a reference cannot be used.
            OSError: When the machine fails; likewise `MemoryError` and TensorFlow's
                `ResourceExhaustedError` and `UnavailableError`.
        """
        patches = read_patches(self._examples, entry)
        for describer in self._describers:
            path = posixpath.join(self._folder, describer.name, entry.name)
            try:
                descriptors = self._describe(describer, entry.name, patches)
            except machinery_errors():
                raise
            except Exception as error:
                if describer.is_reference:
                    raise reference_error(describer.name, error) from error
                _log.exception("%s cannot describe %s", describer.name, entry.name)
                files.write_text(path + ".failed", _sentence(describer, entry, error))
                continue
            _write_array(path + ".npy", descriptors)
            if files.exists(path + ".failed"):  # of an earlier attempt of Beam's
                tf.io.gfile.remove(path + ".failed")
        self._done += 1
        report("describing patches", self._done, self._total, entry.name)
        yield from ()

    def _describe(self, describer: Describer, sequence: str, patches: np.ndarray) -> np.ndarray:
        if describer.name not in self._loaded:
            self._loaded[describer.name] = describer.load()
        descriptors = np.asarray(self._loaded[describer.name](sequence, patches))
        count, variants = patches.shape[:2]
        if descriptors.ndim != 3 or descriptors.shape[:2] != (variants, count):
            raise ModelError(
                f"gave an array of shape {descriptors.shape}, expected ({variants}, {count}, "
                f"dimension)"
            )
        return descriptors.astype(np.float32, copy=False)


class ReferenceContrast(beam.DoFn):
    """Writes the contrast of the reference patches, float32 [N], as `<sequence>.npy`."""

    def __init__(self, examples: str, folder: str, total: int):
        self._examples = examples
        self._folder = folder
        self._total = total
        self._done = 0

    def process(self, entry: SequenceEntry) -> Iterator[None]:
        """Handles one image sequence."""
        reference = read_patches(self._examples, entry)[:, 0]
        _write_array(posixpath.join(self._folder, f"{entry.name}.npy"), tasks.contrast(reference))
        self._done += 1
        report("reading held-out patches", self._done, self._total, entry.name)
        yield from ()


def read_patches(examples: str, entry: SequenceEntry, most: int | None = None) -> np.ndarray:
    """Reads the patches of an image sequence, or of its first points, uint8 [N, 16, 65, 65].

    Raises:
        UserError: When a shard cannot be read or the number of patches is not the manifest's.
    """
    wanted = entry.count if most is None else min(most, entry.count)
    patches = np.empty((wanted, *records.PATCH_SHAPE), np.uint8)
    records_read = 0
    for shard in entry.shards:
        for record in records.read_shard(posixpath.join(examples, shard)):
            if records_read < wanted:
                patches[records_read] = record.patches
            elif most is not None:
                return patches
            records_read += 1
    if records_read < wanted or (most is None and records_read != wanted):
        raise UserError(
            f"{examples}: the shards of {entry.name} hold {records_read} records, the manifest "
            f"says {entry.count}; delete the run's examples and run again"
        )
    return patches


class StoredDescriptors(Mapping[str, np.ndarray]):
    """The descriptors of a collection, float32 [16, N, D] by sequence, mapped from files.

    Attributes:
        folder: Folder of one descriptor.
        names: Image sequences.
    """

    def __init__(self, folder: str, names: Sequence[str]):
        self.folder = folder
        self.names = tuple(names)
        self._opened: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.names:
            raise KeyError(name)
        if name not in self._opened:
            self._opened[name] = read_array(posixpath.join(self.folder, f"{name}.npy"))
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __reduce__(self) -> tuple[type, tuple[str, tuple[str, ...]]]:
        """Pickles folder and names alone; workers open the files themselves."""
        return StoredDescriptors, (self.folder, self.names)


def open_described(folder: str, name: str, entries: Sequence[SequenceEntry]) -> StoredDescriptors:
    """Returns what `DescribeSequence` wrote of one descriptor.

    Raises:
        ModelError: When it could not describe a sequence.
    """
    for entry in entries:
        failed = posixpath.join(folder, name, entry.name) + ".failed"
        if files.exists(failed):
            raise ModelError(files.read_text(failed))
    return StoredDescriptors(posixpath.join(folder, name), [entry.name for entry in entries])


def check_dimensions(name: str, descriptors: StoredDescriptors) -> None:
    """Refuses a reference whose descriptors differ in length from sequence to sequence.

    Raises:
        UserError: With the key that names the reference.
    """
    lengths = {sequence: values.shape[2] for sequence, values in descriptors.items()}
    first, expected = next(iter(lengths.items()))
    for sequence, length in lengths.items():
        if length != expected:
            raise reference_error(
                name,
                f"descriptors of {sequence} have {length} numbers, expected {expected} as in "
                f"{first}",
            )


def read_array(path: str) -> np.ndarray:
    """Reads an array; a local one is mapped, not loaded."""
    if not files.is_remote(path):
        return np.load(path, mmap_mode="r")
    return np.load(io.BytesIO(files.read_bytes(path)))


def _write_array(path: str, values: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values)
    files.write_bytes(path, buffer.getvalue())


def _sentence(describer: Describer, entry: SequenceEntry, error: Exception) -> str:
    message = " ".join(str(error).split())[:500]
    if isinstance(error, ModelError):
        return f"The {describer.name} model {message} of {entry.name}."
    if isinstance(error, UserError):
        return f"The {describer.name} model cannot be used: {message}"
    kind = type(error).__name__
    return f"The {describer.name} model cannot describe {entry.name} ({kind}: {message})."

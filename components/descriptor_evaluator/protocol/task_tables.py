"""Tasks as tables of numbers: which patches are compared with which."""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from components.core import files
from trainer.core.documents import read_json
from trainer.core.errors import UserError
from trainer.core.variants import NOISES, TARGETS, variant_index

FILE_NAME = "tasks.npz"
_VERSION = 1
_TABLES = ("positives", "intra", "inter", "queries", "distractors")
_DAMAGED = (
    *(KeyError, ValueError, TypeError, AttributeError),  # whole, but not what `save` writes
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
)
_LISTS = ("names", "scenes", "kinds", "counts", "groups", "pool_sizes", "notes")


@dataclass(frozen=True)
class Pairs:
    """Pairs of patches; every attribute is int32 [n].

    Attributes:
        sequence1: Number of the first patch's image sequence in `Tasks.names`.
        image1: 0 for the reference, 1..5 for a target image (of the noise level at hand).
        index1: Number of the patch within its sequence.
        sequence2: As for the first patch.
        image2: As for the first patch.
        index2: As for the first patch.
    """

    sequence1: np.ndarray
    image1: np.ndarray
    index1: np.ndarray
    sequence2: np.ndarray
    image2: np.ndarray
    index2: np.ndarray

    def __len__(self) -> int:
        return len(self.sequence1)


@dataclass(frozen=True)
class Points:
    """Points; every attribute is int32 [n].

    Attributes:
        sequence: Number of the image sequence in `Tasks.names`.
        index: Number of the point within its sequence.
    """

    sequence: np.ndarray
    index: np.ndarray

    def __len__(self) -> int:
        return len(self.sequence)


@dataclass(frozen=True)
class Tasks:
    """What is compared, for the three tasks; matching needs no table.

    Attributes:
        origin: Origin of the tables, in words.
        names: Image sequences, sorted.
        scenes: Photograph or scene of each.
        kinds: `i`, `v` or `u` of each.
        counts: Number of points of each.
        groups: Distractors of the query's group are left out of its pool: the sequence
            itself in official tasks, its scene in drawn ones.
        pool_sizes: Retrieval pool sizes, ascending.
        positives: Positive pairs, or None when there is no verification task.
        intra: Negative pairs within a sequence.
        inter: Negative pairs between sequences, or None (see `notes`).
        queries: Retrieval queries, or None when there is no retrieval task.
        distractors: Retrieval distractors in the order in which pools take them.
        notes: Sentences on what is absent or was done differently.
    """

    origin: str
    names: tuple[str, ...]
    scenes: tuple[str, ...]
    kinds: tuple[str, ...]
    counts: tuple[int, ...]
    groups: tuple[str, ...]
    pool_sizes: tuple[int, ...]
    positives: Pairs | None = None
    intra: Pairs | None = None
    inter: Pairs | None = None
    queries: Points | None = None
    distractors: Points | None = None
    notes: tuple[str, ...] = ()

    @property
    def checksum(self) -> str:
        """sha256 over everything that decides a score."""
        digest = hashlib.sha256()
        for name in (*_LISTS[:-1], "origin"):
            digest.update(json.dumps([name, getattr(self, name)]).encode())
        for key, values in sorted(self._arrays().items()):
            digest.update(f"{key}{len(values)}".encode() + values.astype("<i4").tobytes())
        return digest.hexdigest()

    @property
    def group_numbers(self) -> np.ndarray:
        """Number of each image sequence's group, int64 [sequences]; equal groups are equal."""
        return np.array([self.groups.index(group) for group in self.groups], np.int64)

    def gather_references(
        self, descriptors: Mapping[str, np.ndarray], points: Points
    ) -> np.ndarray:
        """Returns the reference descriptors of points, float32 [n, D]."""
        return self._gather(descriptors, points, np.arange(len(points)), np.array([0]))[:, 0]

    def gather_views(
        self, descriptors: Mapping[str, np.ndarray], points: Points, places: np.ndarray
    ) -> np.ndarray:
        """Returns all 16 descriptors of some points, float32 [len(places), 16, D].

        At least one place; only the descriptors of the points' sequences are looked at.
        """
        variants = np.arange(1 + len(NOISES) * TARGETS)
        assert variants[-1] == variant_index(NOISES[-1], TARGETS)
        return self._gather(descriptors, points, places, variants)

    def save(self, folder: str, compress: bool = True) -> str:
        """Writes `tasks.npz` (whole or not at all) and returns its path.

        The published tables take seconds to compress; what is soon deleted need not be.
        """
        header = {name: getattr(self, name) for name in _LISTS} | {"origin": self.origin}
        text = json.dumps(header | {"version": _VERSION})
        buffer = io.BytesIO()
        write = np.savez_compressed if compress else np.savez
        write(buffer, header=np.frombuffer(text.encode(), np.uint8), **self._arrays())
        path = posixpath.join(folder, FILE_NAME)
        files.write_bytes(path, buffer.getvalue())
        return path

    @classmethod
    def load(cls, folder: str) -> Tasks:
        """Reads what `save` wrote.

        Raises:
            UserError: When the file is missing, damaged or of another version.
        """
        path = posixpath.join(folder, FILE_NAME)
        try:
            with np.load(io.BytesIO(files.read_bytes(path))) as stored:
                header = read_json(stored["header"].tobytes())
                arrays = {key: stored[key] for key in stored.files if key != "header"}
            if header.pop("version") != _VERSION:
                raise ValueError("another version")
            lists: dict[str, Any] = {name: tuple(header[name]) for name in _LISTS}
            tables: dict[str, Any] = {name: _table(name, arrays) for name in _TABLES}
            origin = header["origin"]
        except _DAMAGED as error:
            raise UserError(
                f"{path}: holds no tasks of this version ({error}); evaluate again to draw them"
            ) from error
        return cls(origin=origin, **lists, **tables)

    def _gather(
        self,
        descriptors: Mapping[str, np.ndarray],
        points: Points,
        places: np.ndarray,
        variants: np.ndarray,
    ) -> np.ndarray:
        sequence, index = points.sequence[places], points.index[places]
        dimension = descriptors[self.names[sequence[0]]].shape[-1]
        result = np.empty((len(places), len(variants), dimension), np.float32)
        for number in np.unique(sequence):
            rows = np.flatnonzero(sequence == number)
            chosen = descriptors[self.names[number]]
            result[rows] = chosen[variants[None], index[rows][:, None]]
        return result

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            f"{name}.{field.name}": getattr(table, field.name)
            for name in _TABLES
            if (table := getattr(self, name)) is not None
            for field in fields(table)
        }


def _table(name: str, arrays: Mapping[str, np.ndarray]) -> Pairs | Points | None:
    columns = {
        key.partition(".")[2]: values
        for key, values in arrays.items()
        if key.partition(".")[0] == name
    }
    if not columns:
        return None
    return Points(**columns) if name in ("queries", "distractors") else Pairs(**columns)

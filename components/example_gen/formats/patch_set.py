"""What readers are given and what they return: one image sequence."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from trainer.data.records import PointPatches


@dataclass(frozen=True)
class SequenceInput:
    """An image sequence that has been found but not read yet; small and picklable.

    Attributes:
        name: Image sequence, e.g. `v_wall`.
        source: Photograph or scene; image sequences of one source show the same points.
        kind: `i`, `v` or `u` (unspecified).
        source_type: `strips`, `sequences` or `photos`.
        files: What has to be read, in the order the reader expects.
    """

    name: str
    source: str
    kind: str
    source_type: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class PatchSet:
    """The patches of one image sequence.

    Attributes:
        name: Image sequence.
        source: Photograph or scene.
        kind: `i`, `v` or `u`.
        patches: uint8 [N, 16, 65, 65], variants in the order of `trainer.core.variants.VARIANTS`.
        positions: float32 [N, 3]: x, y and sigma in the reference image in pixels; zeros
            when unknown.
        statistics: What extraction counted and measured; empty for patches that were read.
    """

    name: str
    source: str
    kind: str
    patches: np.ndarray
    positions: np.ndarray
    statistics: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.patches)

    def records(self) -> Iterator[PointPatches]:
        """Yields one record per physical point, in index order."""
        from trainer.data.records import PointPatches  # imports TensorFlow

        for index in range(len(self.patches)):
            yield PointPatches(
                sequence=self.name,
                source=self.source,
                kind=self.kind,
                index=index,
                patches=self.patches[index],
                position=self.positions[index],
            )


def generator(seed: int, name: str, purpose: str) -> np.random.Generator:
    """Returns a random generator of its own for each sequence and purpose.

    Independent of the order in which sequences are read and of Python's salted `hash`.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode()), zlib.crc32(purpose.encode())])

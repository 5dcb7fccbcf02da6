"""What a data format is made of, and what its functions are given and return."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from components.core import files
from components.example_gen.formats import layouts
from components.example_gen.settings import DataSettings
from trainer.core.errors import UserError

if TYPE_CHECKING:
    from trainer.data.records import PointPatches


@dataclass(frozen=True)
class SequenceInput:
    """An image sequence that has been found but not read yet; small and picklable.

    Attributes:
        name: Image sequence, e.g. `v_wall`.
        scene: Scene; image sequences of one scene show the same points.
        kind: `i`, `v` or `u` (unspecified).
        format: Data format it was found in, e.g. `photos`.
        files: Files to read, in the order the reader expects; the first shows the scene.
        size: How many times larger than usual its images are to be made; 1 where they are given.
        as_matched: Cut its patches as those of photographs that are matched.
    """

    name: str
    scene: str
    kind: str
    format: str
    files: tuple[str, ...]
    size: float = 1.0
    as_matched: bool = False


@dataclass(frozen=True)
class PatchSet:
    """The patches of one image sequence.

    Attributes:
        name: Image sequence.
        scene: Scene that it shows.
        kind: `i`, `v` or `u`.
        patches: uint8 [N, 16, 65, 65], variants in the order of `trainer.core.variants.VARIANTS`.
        positions: float32 [N, 3]: x, y and sigma in the reference image in pixels; zeros
            when unknown.
        statistics: Counts and measurements of the extraction; empty for patches that were read.
        remarks: Sentences on what a user may not expect of the images.
    """

    name: str
    scene: str
    kind: str
    patches: np.ndarray
    positions: np.ndarray
    statistics: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.patches)

    def records(self) -> Iterator[PointPatches]:
        """Yields one record per physical point, in index order."""
        from trainer.data.records import PointPatches  # imports TensorFlow

        for index in range(len(self.patches)):
            yield PointPatches(
                sequence=self.name,
                scene=self.scene,
                kind=self.kind,
                index=index,
                patches=self.patches[index],
                position=self.positions[index],
            )


Check: TypeAlias = Callable[[str, tuple[str, ...], str], list[SequenceInput]]
Thumbnail: TypeAlias = Callable[[SequenceInput], np.ndarray]


@dataclass(frozen=True)
class Format:
    """One layout of a data folder; `components.example_gen.registry` lists them.

    Attributes:
        title: Name in words, e.g. `an HPatches patch release`.
        expected: Expected content of the folder, for the message about one that holds nothing.
        pattern: File pattern of the data below the folder, in TFX's notation.
        find: Lists the image sequences of a data folder: name -> what `check` needs to look at.
        check: Checks the layout of what `find` returned under a name, whose scene is the third
            argument, and returns the image sequences that are made of it.
        load: Reads or cuts the patches of an image sequence.
        read: Reads all files that `load` reads, but cuts nothing; finds damaged ones.
        count: Counts the patches of an image sequence without reading them whole; None for
            formats whose patches are cut.
        thumbnail: Returns what copies of one picture share, float32 [D] of length 1, see
            `formats.copies`; None for formats in which copies are not looked for.
        left_out: Says what of a folder is not read though a user may think so.
        for_training: Returns what an image sequence is trained on as: itself, and others of the
            same scene that are made of the same files.
    """

    title: str
    expected: str
    pattern: str
    find: Callable[[str], dict[str, tuple[str, ...]]]
    check: Check
    load: Callable[[SequenceInput, DataSettings], PatchSet]
    read: Callable[[SequenceInput], object]
    count: Callable[[SequenceInput], int] | None = None
    thumbnail: Thumbnail | None = None
    left_out: Callable[[str], list[str]] = lambda root: []
    for_training: Callable[[SequenceInput, DataSettings], list[SequenceInput]] = (
        lambda item, settings: [item]
    )


def find_folders(root: str) -> dict[str, tuple[str, ...]]:
    """Lists the folders below a data folder, one per image sequence: name -> (folder,).

    Raises:
        UserError: When `root` is such a sequence itself.
    """
    names = files.list_folder(root)
    folders: dict[str, tuple[str, ...]] = {
        name: (files.join(root, name),) for name in names if files.is_folder(files.join(root, name))
    }
    if not folders and layouts.of_sequence(names):
        raise UserError(
            f"{root}: is itself an image sequence, expected a folder of such folders; "
            f"give the folder above"
        )
    return folders


def generator(seed: int, name: str, purpose: str) -> np.random.Generator:
    """Returns a random generator of its own for each sequence and purpose.

    Independent of the order in which sequences are read and of Python's salted `hash`.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode()), zlib.crc32(purpose.encode())])

"""A data format from outside the package: a NumPy archive per image sequence."""

from __future__ import annotations

import io
from pathlib import PurePosixPath

import numpy as np

from components.core import files
from components.example_gen.formats.base import Format, PatchSet, SequenceInput
from components.example_gen.settings import DataSettings
from trainer.core.errors import UserError
from trainer.core.variants import PATCH_SIZE, VARIANTS, kind_of

_SHAPE = (len(VARIANTS), PATCH_SIZE, PATCH_SIZE)


def find(root: str) -> dict[str, tuple[str, ...]]:
    """Lists the archives of a folder: name -> (file,)."""
    archives = [name for name in files.list_folder(root) if name.endswith(".npz")]
    return {PurePosixPath(name).stem: (files.join(root, name),) for name in archives}


def check(name: str, paths: tuple[str, ...], scene: str) -> list[SequenceInput]:
    """Names the image sequence of an archive."""
    return [SequenceInput(name, scene, kind_of(name), "npz", paths)]


def load(item: SequenceInput, settings: DataSettings | None = None) -> PatchSet:
    """Reads the array `patches`, uint8 [N, 16, 65, 65].

    Raises:
        UserError: When the file is no archive or holds no such array.
    """
    (path,) = item.files
    try:
        patches = np.load(io.BytesIO(files.read_bytes(path)))["patches"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: cannot be read ({error}), expected an array `patches`") from error
    if patches.dtype != np.uint8 or patches.shape[1:] != _SHAPE:
        shape = f"{patches.dtype} {patches.shape}"
        raise UserError(f"{path}: patches are {shape}, expected uint8 (N, 16, 65, 65)")
    unknown = np.zeros((len(patches), 3), np.float32)
    return PatchSet(item.name, item.scene, item.kind, patches, unknown)


FORMAT = Format(
    title="NumPy archives of patches",
    expected="an .npz file per image sequence with an array `patches`, uint8 [N, 16, 65, 65]",
    pattern="*",
    find=find,
    check=check,
    load=load,
    read=load,
    count=lambda item: len(load(item)),
)

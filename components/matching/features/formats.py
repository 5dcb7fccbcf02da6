"""Formats of features, by the end of a file's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from components.core import files
from components.matching.features import arrays, colmap, hloc, new_file
from components.matching.features.features import Store, Writer
from trainer.core.errors import UserError

_WRITERS: dict[str, Writer] = {
    ".h5": hloc.writing_features,
    ".db": colmap.writing_features,
    ".npz": arrays.writing_features,
}
_READERS: dict[str, Callable[[str], Store]] = {
    ".h5": hloc.FeaturesFile,
    ".db": colmap.Database,
    ".npz": arrays.FeaturesFile,
}
NAMES = "hloc's features (.h5), a COLMAP database (.db) or arrays (.npz)"


def writer(path: str) -> Writer:
    """Returns what writes a new file of features.

    Raises:
        UserError: When the name's end is no format's, or the file is there already.
    """
    kind = PurePath(path).suffix.lower()
    if kind not in _WRITERS:
        raise UserError(f"--output: {path} names no format, expected {NAMES}")
    new_file.check(path)
    return _WRITERS[kind]


def read(path: str) -> Store:
    """Opens a file of features.

    Raises:
        UserError: When it is none.
    """
    kind = PurePath(path).suffix.lower()
    if kind not in _READERS:
        raise UserError(f"--features: {path} names no format, expected {NAMES}")
    if not files.exists(path):
        raise UserError(f"--features: {path}: is missing, expected what `hpatches features` wrote")
    return _READERS[kind](path)

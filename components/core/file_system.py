"""The few file operations of this package, on local and on remote (`gs://`) paths.

Local paths go through the standard library: listing runs must not wait for TensorFlow.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class FileStatus(NamedTuple):
    """A file's full path, size in bytes and time of the last change (seconds since 1970)."""

    path: str
    size: int
    changed: float


def is_remote(path: str) -> bool:
    """True for `gs://` and the like."""
    return "://" in path


def normalise(path: str) -> str:
    """Returns one spelling per place: absolute, links resolved, no slash at the end."""
    return path.rstrip("/") if is_remote(path) else os.path.realpath(path)


def exists(path: str) -> bool:
    """True when there is a file or folder."""
    return _gfile().exists(path) if is_remote(path) else Path(path).exists()


def names(folder: str) -> list[str]:
    """Returns the names in a folder, sorted; none when there is no such folder."""
    if is_remote(folder):
        if not _gfile().isdir(folder):
            return []
        return sorted(name.rstrip("/") for name in _gfile().listdir(folder))
    return sorted(p.name for p in Path(folder).iterdir()) if Path(folder).is_dir() else []


def is_folder(path: str) -> bool:
    """True when the path is a folder."""
    return _gfile().isdir(path) if is_remote(path) else Path(path).is_dir()


def files_under(folder: str) -> Iterator[FileStatus]:
    """Yields every file below a folder; one that vanishes meanwhile is passed over."""
    if is_remote(folder):
        for parent, _, found in _gfile().walk(folder):
            for name in found:
                path = posixpath.join(parent, name)
                status = _gfile().stat(path)
                yield FileStatus(path, status.length, status.mtime_nsec / 1e9)
        return
    for parent, _, found in os.walk(folder):
        for name in found:
            path = posixpath.join(parent, name)
            with contextlib.suppress(FileNotFoundError):
                local = os.lstat(path)
                yield FileStatus(path, local.st_size, local.st_mtime)


def read_text(path: str) -> str:
    """Reads a text file (UTF-8)."""
    if is_remote(path):
        with _gfile().GFile(path, "r") as file:
            return file.read()
    return Path(path).read_text(encoding="utf-8")


def write_text(path: str, text: str) -> None:
    """Writes a text file whole or not at all, making its folder if need be."""
    if is_remote(path):
        # An object appears only when it is complete, so no temporary name is needed.
        _gfile().makedirs(posixpath.dirname(path))
        with _gfile().GFile(path, "w") as file:
            file.write(text)
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(f"{path}.tmp-{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_folder(path: str) -> None:
    """Removes a folder and all in it; it is no error when it is gone already."""
    if is_remote(path):
        if _gfile().isdir(path):
            _gfile().rmtree(path)
    elif Path(path).is_dir():
        shutil.rmtree(path)


def _gfile():
    import tensorflow as tf  # late: 10 seconds

    return tf.io.gfile

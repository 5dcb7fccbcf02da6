"""Listing and reading files, local or remote (`gs://`)."""

from __future__ import annotations

import contextlib
import posixpath
import shutil
from collections.abc import Iterator
from pathlib import Path

from trainer.core.errors import UserError


def is_remote(path: str) -> bool:
    """Whether a path needs TensorFlow's file systems."""
    return "://" in path


def join(folder: str, *names: str) -> str:
    """Joins path parts with forward slashes."""
    return posixpath.join(folder, *names)


def is_folder(path: str) -> bool:
    """Whether `path` is a folder."""
    return _gfile().isdir(path) if is_remote(path) else Path(path).is_dir()


def exists(path: str) -> bool:
    """Whether there is a file or folder at `path`."""
    return _gfile().exists(path) if is_remote(path) else Path(path).exists()


def list_folder(path: str) -> list[str]:
    """Returns the sorted names in a folder, without hidden ones.

    Raises:
        UserError: When there is no such folder or it may not be read.
    """
    if not is_folder(path):
        found = "a file" if exists(path) else "nothing"
        raise UserError(f"{path}: found {found}, expected a folder; check the path")
    names = _list_remote(path) if is_remote(path) else _list_local(path)
    stripped = (name.rstrip("/") for name in names)
    return sorted(name for name in stripped if name and not name.startswith("."))


def _list_local(path: str) -> list[str]:
    try:
        return [entry.name for entry in Path(path).iterdir()]
    except OSError as error:
        raise UserError(f"{path}: the folder cannot be read ({error.strerror})") from error


def _list_remote(path: str) -> list[str]:
    import tensorflow as tf  # only for remote paths: it takes ten seconds

    try:
        return tf.io.gfile.listdir(path)
    except tf.errors.OpError as error:
        raise UserError(f"{path}: the folder cannot be read ({error.message})") from error


def read_bytes(path: str, length: int = -1) -> bytes:
    """Reads a file, or its first `length` bytes (fewer if it holds no more).

    Raises:
        UserError: When it is missing or cannot be read.
    """
    if not is_remote(path):
        try:
            with open(path, "rb") as file:
                return file.read(length)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    import tensorflow as tf  # only for remote paths: it takes ten seconds

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read(length)
    except tf.errors.OpError as error:
        raise UserError(f"{path}: cannot be read ({error.message})") from error


def read_text(path: str) -> str:
    """Reads a text file.

    Raises:
        UserError: When it is missing, cannot be read or is not UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text, expected a text file") from error


def write_bytes(path: str, data: bytes) -> None:
    """Writes a file whole or not at all; its folder must exist (locally).

    Raises:
        UserError: When it cannot be written, e.g. because the disk is full.
    """
    if is_remote(path):
        _write_remote(path, data)
        return
    temporary = Path(path + ".tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def find_sequences(root: str, mark: str) -> dict[str, tuple[str, ...]]:
    """Lists the folders below a data folder, one per image sequence: name -> (folder,).

    Args:
        root: Data folder.
        mark: A file that only an image sequence itself holds.

    Raises:
        UserError: When `root` is such a sequence itself.
    """
    names = list_folder(root)
    found: dict[str, tuple[str, ...]] = {
        name: (join(root, name),) for name in names if is_folder(join(root, name))
    }
    if not found and mark in names:
        raise UserError(
            f"{root}: is itself an image sequence, expected a folder of such folders; "
            f"give the folder above"
        )
    return found


def check_new_folder(path: str) -> None:
    """Refuses what `new_folder` would refuse, before the work.

    Raises:
        UserError: When something is at `path` already, other than an empty folder.
    """
    if exists(path) and (not is_folder(path) or list_folder(path)):
        found = "a folder that is not empty" if is_folder(path) else "a file"
        raise UserError(f"{path}: found {found}, expected a new or empty folder; choose another")


@contextlib.contextmanager
def new_folder(path: str) -> Iterator[str]:
    """Yields a folder to write into that becomes `path` when all went well.

    When the context ends with an error, nothing is left. Remote file systems rename no
    folders: there the context yields `path` itself, so write last what marks it as whole.

    Raises:
        UserError: When something is at `path` already (other than an empty folder), or it
            cannot be written.
    """
    check_new_folder(path)
    if is_remote(path):
        yield path
        return
    target = Path(path).absolute()
    staging = target.with_name(f".{target.name}.partial")
    made = [folder for folder in target.parents if not folder.exists()]
    try:
        with told_unwritable(path):
            shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
            staging.mkdir(parents=True)
        yield str(staging)
        with told_unwritable(path):
            staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            with contextlib.suppress(OSError):  # somebody else may use it by now
                folder.rmdir()
        raise


@contextlib.contextmanager
def told_unwritable(path: str) -> Iterator[None]:
    """Tells a disk that refuses in one sentence that names `path`.

    Raises:
        UserError: In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); expected a folder that this user "
            "may make there"
        ) from error


def _write_remote(path: str, data: bytes) -> None:
    import tensorflow as tf  # only for remote paths: it takes ten seconds

    try:
        tf.io.gfile.makedirs(posixpath.dirname(path))  # object stores need none
        with tf.io.gfile.GFile(path, "wb") as file:  # an object appears when it is closed
            file.write(data)
    except tf.errors.OpError as error:
        raise UserError(f"{path}: cannot be written ({error.message})") from error


def _gfile():
    import tensorflow as tf  # only for remote paths: it takes ten seconds

    return tf.io.gfile

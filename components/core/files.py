"""Files and folders, local or remote (`gs://`): listed, read, and written whole or not at all.

Local paths go through the standard library; TensorFlow, ten seconds of imports, is loaded for
remote ones only.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import posixpath
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from trainer.core.errors import UserError
from trainer.data import stale_dirs

# What archives and file managers leave; hidden files (.DS_Store, ._name) are passed over anyway.
_LITTER = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found",
    "Thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini", "Icon\r")  # fmt: skip
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class FileStatus(NamedTuple):
    """A file's full path, size in bytes and time of the last change (seconds since 1970)."""

    path: str
    size: int
    changed: float


def is_remote(path: str) -> bool:
    """Whether a path needs TensorFlow's file systems."""
    return "://" in path


def join(folder: str, *names: str) -> str:
    """Joins path parts with forward slashes."""
    return posixpath.join(folder, *names)


def normalise(path: str) -> str:
    """Returns one spelling per place: absolute, links resolved, no slash at the end."""
    return path.rstrip("/") if is_remote(path) else os.path.realpath(path)


def is_folder(path: str) -> bool:
    """Whether `path` is a folder."""
    return _gfile().isdir(path) if is_remote(path) else Path(path).is_dir()


def exists(path: str) -> bool:
    """Whether there is a file or folder at `path`."""
    return _gfile().exists(path) if is_remote(path) else Path(path).exists()


def names(folder: str) -> list[str]:
    """Returns the sorted names in a folder; none when there is no such folder.

    Raises:
        UserError: When the folder cannot be read.
    """
    if not is_folder(folder):
        return []
    with refusals(folder, "the folder cannot be read"):
        if not is_remote(folder):
            return sorted(path.name for path in Path(folder).iterdir())
        return sorted(name.rstrip("/") for name in _gfile().listdir(folder))


def list_folder(path: str) -> list[str]:
    """Returns the sorted names in a folder, without hidden ones and those of file managers.

    Raises:
        UserError: When there is no such folder or it cannot be read.
    """
    if not is_folder(path):
        there = "a file" if exists(path) else "nothing"
        raise UserError(f"{path}: found {there}, expected a folder; check the path")
    return [name for name in names(path) if name and name[0] != "." and name not in _LITTER]


def files_under(folder: str) -> Iterator[FileStatus]:
    """Yields every file below a folder; one that vanishes meanwhile is passed over."""
    walk = _gfile().walk if is_remote(folder) else os.walk
    for parent, _, inside in walk(folder):
        for name in inside:
            path = posixpath.join(parent, name)
            with contextlib.suppress(*_gone(path)):
                if is_remote(path):
                    status = _gfile().stat(path)
                    found = FileStatus(path, status.length, status.mtime_nsec / 1e9)
                else:
                    local = os.lstat(path)
                    found = FileStatus(path, local.st_size, local.st_mtime)
                yield found


def check_file(path: str) -> None:
    """Refuses what would never end or answer when it is read: pipes, sockets, devices.

    Raises:
        UserError: When something that is neither file nor folder lies at a local path.
    """
    if is_remote(path) or not Path(path).exists():
        return
    mode = Path(path).stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = _KINDS.get(stat.S_IFMT(mode), "no file")
        raise UserError(f"{path}: is {kind}, expected a file; move it away")


def read_bytes(path: str, length: int = -1) -> bytes:
    """Reads a file, or its first `length` bytes (fewer if it holds no more).

    Raises:
        UserError: When it is missing, is no file or cannot be read.
    """
    check_file(path)
    with refusals(path, "cannot be read"), _open(path, "rb") as file:
        return file.read(length)


def read_text(path: str) -> str:
    """Reads a text file; lines that end in CR or CR LF come out with LF.

    Raises:
        UserError: When it is missing, cannot be read or is not UTF-8.
    """
    try:
        return plain_lines(read_bytes(path)).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text, expected a text file") from error


def read_csv(path: str) -> list[list[str]]:
    """Reads the rows of a CSV file, without the empty ones.

    Raises:
        UserError: When it cannot be read or is no CSV.
    """
    try:
        return [row for row in csv.reader(io.StringIO(read_text(path))) if row]
    except csv.Error as error:
        raise UserError(f"{path}: is no CSV ({error}), expected rows of short fields") from error


def plain_lines(data: bytes) -> bytes:
    """Ends lines with LF that end in CR LF, or in CR alone as old spreadsheets write them."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def write_bytes(path: str, data: bytes) -> None:
    """Writes a file whole or not at all, and makes its folder if there is none.

    Raises:
        UserError: When it cannot be written, e.g. because the disk is full.
    """
    with refusals(path, "cannot be written"):
        if is_remote(path):
            _gfile().makedirs(posixpath.dirname(path))  # object stores need none
            with _open(path, "wb") as file:  # an object appears when it is closed
                file.write(data)
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        unfinished = f"{Path(path).name}.tmp-"
        stale_dirs.remove_stale(Path(path).parent, unfinished)  # of writers that were killed
        temporary = Path(path).with_name(f"{unfinished}{stale_dirs.process()}")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: str, text: str) -> None:
    """Writes a text file (UTF-8) as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_json(path: str, content: Any) -> None:
    """Writes JSON as `write_bytes` does; NaN and infinity are a ValueError."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def append_text(path: str, text: str) -> None:
    """Adds to the end of a text file.

    Raises:
        UserError: When it cannot be written.
    """
    with refusals(path, "cannot be written"), _open(path, "ab") as file:
        file.write(text.encode())


def remove_folder(path: str) -> None:
    """Removes a folder and all in it, of a symbolic link the link alone.

    One that is gone already, or that another process removes meanwhile, is no error.
    """
    if not is_remote(path) and Path(path).is_symlink():
        Path(path).unlink(missing_ok=True)
        return
    for _ in range(10):  # each ends early when another process takes a file away meanwhile
        if not is_folder(path):
            return
        with contextlib.suppress(*_gone(path)):
            (_gfile().rmtree if is_remote(path) else shutil.rmtree)(path)


def check_folder(key: str, path: str) -> None:
    """Checks that a folder is there or can be made, and that files can be made in it.

    Args:
        key: Option or key that names it, for the message.
        path: The folder; remote ones are left alone.

    Raises:
        UserError: When it cannot be written.
    """
    if is_remote(path):
        return
    folder = Path(path).expanduser().absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except NotADirectoryError:
        raise UserError(
            f"{key}: found the file {there}, expected a folder; choose another"
        ) from None
    except OSError as error:
        raise UserError(
            f"{key}: cannot write in {there} ({error.strerror}); expected a folder that this user "
            "may write"
        ) from None


def check_writable(option: str, path: str | None) -> None:
    """Refuses before the work what would be refused after it.

    Args:
        option: Option that names the file, for the message.
        path: The file; None and remote files are left alone.

    Raises:
        UserError: When it cannot be written.
    """
    if path is None or is_remote(path):
        return
    folder = Path(path).absolute().parent
    if Path(path).is_dir() or not folder.is_dir():
        raise UserError(
            f"{option}: {path} cannot be written; expected a file name in a folder that is there"
        )
    check_folder(option, str(folder))


def check_new_folder(path: str) -> None:
    """Refuses what `new_folder` would refuse, before the work.

    Raises:
        UserError: When something is at `path` already, other than an empty folder.
    """
    if exists(path) and (not is_folder(path) or list_folder(path)):
        there = "a folder that is not empty" if is_folder(path) else "a file"
        raise UserError(f"{path}: found {there}, expected a new or empty folder; choose another")


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


def told_unwritable(path: str) -> contextlib.AbstractContextManager[None]:
    """Tells a disk that refuses in one sentence that names `path`; see `refusals`."""
    expected = "; expected a folder that this user may make there"
    return refusals(path, "cannot be written", expected)


@contextlib.contextmanager
def refusals(path: str, what: str, expected: str = "") -> Iterator[None]:
    """Turns what a file system refuses into one sentence.

    Args:
        path: File or folder; of a remote one, TensorFlow's errors are translated, too.
        what: End of the sentence after the path, e.g. `cannot be read`.
        expected: End of the sentence.

    Raises:
        UserError: In place of an error of the file system.
    """
    errors: tuple[type[Exception], ...] = (OSError,)
    if is_remote(path):
        import tensorflow as tf

        errors = (OSError, tf.errors.OpError)
    try:
        yield
    except errors as error:
        why = getattr(error, "strerror", "") or getattr(error, "message", "") or str(error)
        raise UserError(f"{path}: {what} ({why}){expected}") from error


def _gone(path: str) -> tuple[type[Exception], ...]:
    """What a file system raises when something is no longer there."""
    if not is_remote(path):
        return (FileNotFoundError,)
    import tensorflow as tf

    return (FileNotFoundError, tf.errors.NotFoundError)


def _open(path: str, mode: str) -> Any:
    return _gfile().GFile(path, mode) if is_remote(path) else open(path, mode)


def _gfile() -> Any:
    import tensorflow as tf

    return tf.io.gfile

"""Writing whole files or none, on local disks and object stores alike."""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from trainer.core.errors import UserError


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Turns what goes wrong with a disk or a bucket while `path` is written into one sentence.

    Raises:
        UserError: In place of an error of the operating system or of TensorFlow's files.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        why = str(getattr(error, "message", "") or error).splitlines()[0]
        raise UserError(
            f"{path}: cannot be written ({why}); expected a place with write permission and "
            f"space left"
        ) from error


def make_writable_folder(path: str) -> None:
    """Makes a folder, and finds out before hours of work whether files can be written there.

    Raises:
        UserError: When not.
    """
    trial = posixpath.join(path, ".writable")
    with writing(path):
        tf.io.gfile.makedirs(path)
        with tf.io.gfile.GFile(trial, "w") as file:
            file.write("")
        tf.io.gfile.remove(trial)


def write_text(path: str, text: str) -> None:
    """Writes a text file under a temporary name and renames it.

    Raises:
        UserError: When it cannot be written.
    """
    with writing(path):
        with tf.io.gfile.GFile(path + ".tmp", "w") as file:
            file.write(text)
        tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


def walk(folder: str) -> Iterator[str]:
    """Yields every file below a folder, in no order; links are followed, each folder once.

    Two links to a folder's own folder would otherwise be 2^40 folders. What is no file (a pipe,
    a link to nothing) is passed over.
    """
    if "://" in folder:
        for parent, _, names in tf.io.gfile.walk(folder):
            yield from (posixpath.join(parent, name) for name in names)
        return
    seen: set[tuple[int, int]] = set()
    for parent, below, names in os.walk(folder, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        below.sort()  # which of two links to a folder is followed must not depend on the disk
        yield from (path for name in names if Path(path := f"{parent}/{name}").is_file())


def remove_folder(path: str) -> None:
    """Removes a folder and all in it; of a symbolic link the link alone.

    TensorFlow's own `rmtree` follows links, and would empty what somebody's link leads to.
    """
    if "://" in path:
        tf.io.gfile.rmtree(path)
    elif Path(path).is_symlink():
        Path(path).unlink()
    else:
        shutil.rmtree(path)


def replace_folder(temporary: str, final: str) -> None:
    """Renames a finished folder, in place of what was there."""
    if tf.io.gfile.exists(final) or Path(final).is_symlink():
        remove_folder(final)
    tf.io.gfile.rename(temporary, final)

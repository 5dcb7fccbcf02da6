"""Puts a SavedModel at a push destination as a new version: whole, or not at all.

On a local file system the copy is made under a temporary name beside the versions and
renamed. Object stores rename file by file, so there the copy is made in place and
`saved_model.pb`, which every reader takes as the sign of a whole version, comes last.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from components.core import files
from components.serving.production_model import served_model
from trainer.core.errors import UserError
from trainer.model.names import CARD_FILE, SAVED_MODEL_FILE

TEMPORARY_PREFIX = ".pushing-"
"""TensorFlow Serving passes over folders whose names are no integers."""

_STALE_AFTER_SECONDS = 24 * 3600.0
_ATTEMPTS = 100  # each is lost to another push that went through


def place(source: str, destination: str, card: str = "") -> served_model.ServedModel:
    """Copies a SavedModel to a version newer than all that are there.

    Args:
        source: A SavedModel folder.
        destination: Folder of versions, made if it is not there; local or `gs://`.
        card: Text of the copy's model card; "" takes the source's.

    Returns:
        The new version; its checksum was taken from the copy and equals the source's.

    Raises:
        FileNotFoundError: When the source is no SavedModel.
        UserError: When the destination cannot be written.
    """
    import tensorflow as tf

    if not tf.io.gfile.exists(posixpath.join(source, SAVED_MODEL_FILE)):
        raise FileNotFoundError(f"{source} holds no {SAVED_MODEL_FILE}")
    source = source.rstrip("/")
    with _explained(destination):
        tf.io.gfile.makedirs(destination)
        remove_stale(destination)
        place_as = _place_remotely if files.is_remote(destination) else _place_locally
        return place_as(source, destination, card)


def next_version(destination: str) -> int:
    """Returns the time in seconds, or more if a folder with that number or above is there.

    Half-written folders count too, so that two pushes never mix their files.
    """
    taken = served_model.version_numbers(destination)
    return max(int(time.time()), taken[-1] + 1 if taken else 0)


def remove_stale(destination: str) -> list[str]:
    """Removes what killed pushes left behind and returns the paths.

    Locally these are temporary folders of processes that are gone; in an object store,
    versions that never got their `saved_model.pb`. What another machine may still be
    writing is left alone for a day.
    """
    stale = []
    for name in files.names(destination):
        path = posixpath.join(destination, name)
        if (name.startswith(TEMPORARY_PREFIX) and (_is_orphan(name) or _is_old(path))) or (
            files.is_remote(destination)
            and name.isdecimal()
            and not served_model.is_whole(destination, int(name))
            and _is_old(path)
        ):
            files.remove_folder(path)
            stale.append(path)
    return stale


def _place_locally(source: str, destination: str, card: str) -> served_model.ServedModel:
    """Copies under a temporary name, once, and renames it to the first number that is free."""
    import tensorflow as tf

    writing = _temporary_path(destination, next_version(destination))
    try:
        checksum = _copy(source, writing, destination, card)
        for version in _numbers(destination):
            final = posixpath.join(destination, str(version))
            try:
                tf.io.gfile.rename(writing, final)
            # Another push took the number: seen beforehand, or by the system at the renaming.
            except (tf.errors.AlreadyExistsError, tf.errors.FailedPreconditionError):
                if not tf.io.gfile.exists(final):
                    raise
                continue
            return served_model.ServedModel(version=version, path=final, checksum=checksum)
    except BaseException:
        _remove(writing)
        raise
    _remove(writing)
    raise _taken(destination)


def _place_remotely(source: str, destination: str, card: str) -> served_model.ServedModel:
    import tensorflow as tf

    for version in _numbers(destination):
        final = posixpath.join(destination, str(version))
        if tf.io.gfile.isdir(final):
            continue
        try:
            checksum = _copy(source, final, destination, card)
        except tf.errors.AlreadyExistsError:  # the files there are another push's
            continue
        except BaseException:
            _remove(final)
            raise
        return served_model.ServedModel(version=version, path=final, checksum=checksum)
    raise _taken(destination)


def _numbers(destination: str) -> Iterator[int]:
    """Yields version numbers to try, each newer than all that are there by then."""
    version = 0
    for _ in range(_ATTEMPTS):
        version = max(version + 1, next_version(destination))
        yield version


def _copy(source: str, target: str, destination: str, card: str) -> str:
    """Copies the model and returns the copy's checksum, which equals the source's."""
    served_model.copy(source, target, {CARD_FILE: card} if card else {})
    checksum = served_model.checksum(target)
    if checksum != served_model.checksum(source):
        raise UserError(
            f"{destination}: the copy of {source} differs from it; the model was "
            f"replaced while it was pushed, or the disk is failing. Push again"
        )
    return checksum


def _remove(folder: str) -> None:
    import tensorflow as tf

    with contextlib.suppress(OSError, tf.errors.OpError):
        files.remove_folder(folder)


def _taken(destination: str) -> UserError:
    return UserError(
        f"{destination}: other pushes took the version number {_ATTEMPTS} times while this one "
        f"was copying; let one pipeline at a time push there, then run again"
    )


def _temporary_path(destination: str, version: int) -> str:
    name = f"{TEMPORARY_PREFIX}{version}-{socket.gethostname()}-{os.getpid()}"
    return posixpath.join(destination, name)


def _is_orphan(name: str) -> bool:
    """True when this machine made the temporary folder and its process is gone."""
    _, _, owner = name.removeprefix(TEMPORARY_PREFIX).partition("-")
    host, _, pid = owner.rpartition("-")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    # A process pushes one model at a time, so a folder with its own number is from an
    # earlier process that had the same one (a restarted container).
    if int(pid) == os.getpid():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _is_old(folder: str) -> bool:
    newest = max((status.changed for status in files.files_under(folder)), default=0.0)
    if not files.is_remote(folder):  # object stores have no folders
        try:
            newest = max(newest, Path(folder).stat().st_mtime)
        except FileNotFoundError:  # its push has ended meanwhile and given it its number
            return False
    return time.time() - newest > _STALE_AFTER_SECONDS


@contextlib.contextmanager
def _explained(destination: str) -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        reason = getattr(error, "message", None) or str(error)
        raise UserError(
            f"{destination}: cannot write the model there ({reason}); expected a folder that "
            f"can be written. Check the path and its permissions, or set another push destination"
        ) from error

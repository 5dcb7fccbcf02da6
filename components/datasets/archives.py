"""Unpacks archives of unknown origin: files and folders below one folder, nothing else."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from components.core import files
from trainer.core.errors import UserError
from trainer.core.progress import report

_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.ReadError, gzip.BadGzipFile),
    *(zlib.error, lzma.LZMAError, EOFError),
)
# Python 3.10 and 3.11 have it from some patch release on; names and kinds are checked anyway.
_FILTER: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
_EVERY = 50  # files between two signs of life


class SpaceError(UserError):
    """There is not enough space to unpack."""


def is_archive(path: Path) -> bool:
    """Whether a file begins (tar) or ends (zip) like an archive that `unpack` reads."""
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def unpack(path: Path, folder: Path, name: str) -> None:
    """Unpacks a zip or tar archive, compressed or not, into a folder that is there.

    Args:
        path: The archive.
        folder: Empty folder.
        name: Of the data set, for the progress.

    Raises:
        UserError: When it is damaged or no archive, holds a link, a device or a name that leads
            out of the folder, needs more space than is left, or the disk refuses.
    """
    with files.refusals(str(folder), "cannot be written"), _damage_told(path):
        if zipfile.is_zipfile(path):
            _unpack_zip(path, folder, name)
        else:
            _unpack_tar(path, folder, name)


def _unpack_zip(path: Path, folder: Path, name: str) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check_space(folder, sum(member.file_size for member in members))
        for member in members:
            _check_name(path, member.filename)
            if member.flag_bits & 1:
                raise UserError(f"{path}: is encrypted, expected an archive without a password")
        for number, member in enumerate(members, start=1):
            archive.extract(member, folder)
            _tell(name, number, len(members))


def _unpack_tar(path: Path, folder: Path, name: str) -> None:
    with tarfile.open(path) as archive:
        for number, member in enumerate(archive, start=1):
            _check_name(path, member.name)
            if not (member.isfile() or member.isdir()):
                raise UserError(
                    f"{path}: {member.name} is a link or a device, expected files and folders"
                )
            archive.extract(member, folder, **_FILTER)
            _tell(name, number, None)


def _check_name(path: Path, name: str) -> None:
    """Refuses what a careless program would write elsewhere."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0]:
        raise UserError(
            f"{path}: {name!r} leads out of the folder; do not use this archive, and tell whoever "
            f"offers it"
        )


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SpaceError(
            f"{folder.parent}: unpacking needs {needed / 1e6:,.0f} MB, found {free / 1e6:,.0f} MB "
            f"free; free some space and give the same command again, which goes on"
        )


@contextlib.contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise UserError(f"{path}: is damaged or no archive ({error}), expected zip or tar") from (
            error
        )


def _tell(name: str, done: int, total: int | None) -> None:
    if done % _EVERY == 0 or done == total:
        report(f"unpacking {name}", done, total)

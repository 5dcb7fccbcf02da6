"""Keeps two runs out of one work folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from components.core import files
from trainer.core.errors import UserError

LOCK_NAME = ".lock"


@contextlib.contextmanager
def hold(work_dir: str | Path) -> Iterator[Path]:
    """Makes the work folder if need be and holds its lock while the context is open.

    The lock is the kernel's (`flock`): it ends with the process, so a killed run leaves
    nothing to clean up. The file only says who holds it.

    Raises:
        UserError: When the folder is not local, cannot be made or written, or when another
            run holds it.
    """
    if "://" in str(work_dir):
        raise UserError(
            f"work_dir: found {str(work_dir)!r}, expected a local folder: it holds the metadata "
            "database and the lock (data.path and push.destination may be elsewhere)"
        )
    folder = Path(work_dir).expanduser().absolute()
    files.check_folder("work_dir", str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_NAME
    with _open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise UserError(
                f"{folder}: {holder} is working in this folder; wait for it or choose another "
                "folder with --work"
            ) from None
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        try:
            yield folder
        finally:
            file.seek(0)
            file.truncate()


def _open(path: Path):  # type: ignore[no-untyped-def]
    """Opens for reading and writing without emptying what another run wrote."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+", encoding="utf-8")

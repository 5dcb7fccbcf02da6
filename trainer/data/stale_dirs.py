"""Folders and files that a process which was killed has left behind."""

from __future__ import annotations

import contextlib
import glob
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


def process() -> str:
    """Names this process among those of all machines, for folders that it is to delete itself."""
    return f"{platform.node()}-{os.getpid()}"


def remove_stale(folder: Path, prefix: str) -> None:
    """Deletes what processes of this machine left that live no more, so far as that is permitted.

    Args:
        folder: Parent folder; need not exist.
        prefix: Beginning of their names; `process()` follows, then optionally a dot and letters.
    """
    # Without a machine's name (as an earlier version wrote them) they are taken for this one's.
    name = re.compile(
        rf"{re.escape(prefix)}(?:{re.escape(platform.node())}-)?(\d{{1,9}})(?:\.\w+)?"
    )
    for path in folder.glob(f"{glob.escape(prefix)}*"):
        match = name.fullmatch(path.name)
        if match and not _lives(int(match[1])):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()


@contextlib.contextmanager
def temporary(prefix: str) -> Iterator[str]:
    """Yields a temporary folder, after deleting those that killed processes left of its kind."""
    remove_stale(Path(tempfile.gettempdir()), prefix)
    with tempfile.TemporaryDirectory(prefix=f"{prefix}{process()}.") as folder:
        yield folder


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # no signal: only asks
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True

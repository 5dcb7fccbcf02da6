"""A file that is there whole or not at all, written by a library that wants a path."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from components.core import files
from trainer.core.errors import UserError
from trainer.data import stale_dirs


def check(path: str) -> None:
    """Refuses a place that is taken, remote or cannot be written.

    Raises:
        UserError: With the path.
    """
    if files.is_remote(path):
        raise UserError(f"--output: {path} is remote, expected a local file; copy it there then")
    if files.exists(path):
        raise UserError(f"--output: {path} is there already; choose another name, or delete it")
    files.check_writable("--output", path)


@contextlib.contextmanager
def writing(path: str) -> Iterator[Path]:
    """Yields a path to write to, whose file becomes `path` when all went well.

    Raises:
        UserError: When something is there already, or the file system refuses.
    """
    check(path)
    target = Path(path).absolute()
    unfinished = f".{target.name}.tmp-"
    stale_dirs.remove_stale(target.parent, unfinished)  # of writers that were killed
    temporary = target.with_name(f"{unfinished}{stale_dirs.process()}")
    try:
        with files.refusals(path, "cannot be written"):
            yield temporary
            check(path)
            temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)

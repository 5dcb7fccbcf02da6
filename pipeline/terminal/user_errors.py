"""Finds the user's mistake inside what a run raised."""

from __future__ import annotations

import errno
import os
import re

from components.core import user_errors
from trainer.core.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG)
_DISK_FULL = re.compile(
    "No space left on device|database or disk is full|"
    r"\d+ requested and \d+ written"  # NumPy
)
# Of whoever hands an error on as text: Beam, TensorFlow, C++.
_NO_MEMORY = re.compile(
    r"\bMemoryError\b|Cannot allocate memory|std::bad_alloc|ResourceExhaustedError|"
    r"OOM when allocating|can't start new thread|failed to map segment"
)


def find_user_error(error: BaseException) -> UserError | None:
    """Returns the UserError that `error` is, was caused by or tells of, or None for a bug.

    A full disk, no memory and a missing permission count: whoever runs into them, the user is
    the one who can fix them.
    """
    mistake = user_errors.find_user_error(error)
    if mistake is not None:
        return mistake
    cause: BaseException | None = error
    while cause is not None:
        path = getattr(cause, "filename", None)
        number = cause.errno if isinstance(cause, OSError) else None
        if number in _FULL or _DISK_FULL.search(str(cause)):
            return UserError(
                (f"{path}: " if path else "")
                + "the disk is full; free some space (`hpatches clean` deletes old runs) and "
                "run again: finished components are kept"
            )
        if number in _REFUSED and path:
            return UserError(
                f"{path}: {os.strerror(number)}; expected a path that this user may read and write"
            )
        if _NO_MEMORY.search(f"{type(cause).__name__}: {cause}"):
            return UserError(
                "the memory is full, or what this user may take of it (`ulimit -v`, a container's "
                "limit); give more, close other programs, or lower data.max_points and the "
                "training's batches, and run again: finished components are kept"
            )
        cause = cause.__cause__ or cause.__context__
    return None

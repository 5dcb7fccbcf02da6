"""Finds the user's mistake inside what a run raised."""

from __future__ import annotations

import errno

from components import user_errors
from trainer.errors import UserError

_DISK_FULL = "No space left on device"


def find_user_error(error: BaseException) -> UserError | None:
    """Returns the UserError that `error` is, was caused by or tells of, or None for a bug.

    A full disk counts: whoever runs into it, the user is the one who can put it right.
    """
    found = user_errors.find_user_error(error)
    if found is not None:
        return found
    cause: BaseException | None = error
    while cause is not None:
        full = isinstance(cause, OSError) and cause.errno == errno.ENOSPC
        if full or _DISK_FULL in str(cause):
            path = getattr(cause, "filename", None)
            return UserError(
                (f"{path}: " if path else "")
                + "the disk is full; free some space (`hpatches clean` deletes old runs) and "
                "run again: finished components are kept"
            )
        cause = cause.__cause__ or cause.__context__
    return None

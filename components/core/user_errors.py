"""Brings a `UserError` back out of a Beam pipeline.

Beam's runners hand a worker's exception over as text inside a RuntimeError, whatever it
was. The sentence that was meant for the user is still in there.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from trainer.core.errors import UserError

_IN_TRACEBACK = re.compile(r"^[\w.]*\.UserError: (.+?)(?: \[while running .*)?$", re.MULTILINE)


def find_user_error(error: BaseException) -> UserError | None:
    """Returns the `UserError` inside an exception, its causes or its text, if there is one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, UserError):
            return UserError(str(seen).split(" [while running ")[0])
        seen = seen.__cause__ or seen.__context__
    match = _IN_TRACEBACK.search(str(error))
    return UserError(match.group(1)) if match else None


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    r"""Raises a worker's `UserError` as itself.

    Example:
        >>> with user_errors():
        ...     raise RuntimeError("Traceback...\ntrainer.core.errors.UserError: a.png is empty")
        Traceback (most recent call last):
        ...
        trainer.core.errors.UserError: a.png is empty
    """
    try:
        yield
    except Exception as error:
        mistake = find_user_error(error)
        if mistake is None:
            raise
        raise mistake from error

"""What calls to a service have in common: patience with short outages, and errors in words."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from google.api_core import retry

from trainer.core.errors import UserError

PATIENCE_SECONDS = 900.0
_LOG = logging.getLogger(__name__)
_STARTS = 5
_MOST_CHARACTERS = 500

_Started = TypeVar("_Started")


def patience(
    passes: Callable[[Exception], bool],
    seconds: float = PATIENCE_SECONDS,
    most_between: float = 60.0,
) -> retry.Retry:
    """Returns what repeats a call, at growing distances, until it succeeds or time is up.

    Only for calls that may arrive twice: those that read, and those that stop something.

    Args:
        passes: Tells whether a call may succeed a little later.
        seconds: Time for all attempts.
        most_between: Seconds between two of them, at most.
    """
    return retry.Retry(predicate=passes, initial=1.0, maximum=most_between, timeout=seconds)


def start_once(
    start: Callable[[], _Started],
    arrived: Callable[[], _Started | None],
    passes: Callable[[Exception], bool],
    pause: Callable[[float], None] = lambda seconds: _sleep(seconds),
) -> _Started:
    """Starts something, once, however often the call has to be made.

    Args:
        start: Makes the call.
        arrived: Looks for what a call has started although no answer came; None: nothing.
        passes: Tells whether a call may succeed a little later.
        pause: Waits, in seconds, between two attempts.

    Raises:
        Exception: That of `start`, when it does not pass or comes again and again.
    """
    for attempt in range(1, _STARTS + 1):
        try:
            return start()
        except Exception as error:
            if not passes(error):
                raise
            unanswered = error
            _LOG.info("%s; trying again", one_line(error))
        pause(2.0**attempt)
        started = arrived()
        if started is not None:
            return started
    raise unanswered


@contextlib.contextmanager
def translated(
    doing: str,
    place: str,
    errors: tuple[type[Exception], ...],
    in_words: Callable[[Exception], str],
) -> Iterator[None]:
    """Turns what a service or the way to it answers into one sentence.

    Args:
        doing: Action in progress, e.g. `starting the training job`.
        place: Where, e.g. `project p, us-central1`.
        errors: What the service's client raises.
        in_words: Says what one of them means and what to do.

    Raises:
        UserError: In place of an error of the client.
    """
    try:
        yield
    except errors as error:
        raise UserError(f"{doing} ({place}): {in_words(error)}") from error


def one_line(text: object) -> str:
    """Returns what something says on one line, not endlessly long."""
    line = " ".join(str(text).split())
    return line if len(line) <= _MOST_CHARACTERS else line[:_MOST_CHARACTERS] + "..."


def _sleep(seconds: float) -> None:
    time.sleep(seconds)

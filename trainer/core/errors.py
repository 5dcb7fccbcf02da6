"""The one error that is meant for the person at the terminal, and how it may be shown there."""

from __future__ import annotations

_LONGEST_LINE = 1500
_KEPT_AT_THE_END = 400
_MOST_LINES = 40


class UserError(Exception):
    """Something the user can put right, told in one sentence.

    The message names the file, key or value, says what was found and what was
    expected. The command line prints it without a traceback and exits with 2;
    everything else that is raised is a bug and keeps its traceback.
    """


def printable(text: str) -> str:
    r"""Returns a text that a terminal shows as it is, and not endlessly.

    Names of files may hold anything: what moves the cursor, bytes that are no UTF-8. Lines that
    repeat what was found in a file may be as long as that.

    Example:
        >>> printable("photo\x1b[2J.png is empty")
        'photo\\x1b[2J.png is empty'
    """
    lines = text.split("\n")
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"... and {len(lines) - _MOST_LINES} lines more"]
    return "\n".join(map(_shortened, map(_escaped, lines)))


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in line
    )


def _shortened(line: str) -> str:
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[: _LONGEST_LINE - _KEPT_AT_THE_END]} ... {line[-_KEPT_AT_THE_END:]}"

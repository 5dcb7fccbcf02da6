"""Downloads one file over HTTP, and goes on where an earlier attempt stopped."""

from __future__ import annotations

import contextlib
import errno
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from components.datasets.catalogue import Home
from trainer.core.errors import UserError
from trainer.core.progress import report

if TYPE_CHECKING:
    import requests

MB = 1_000_000
_CHUNK = 1 << 16  # the client drops what it has of a chunk when the connection breaks off
_SECONDS_TO_CONNECT, _SECONDS_WITHOUT_A_BYTE = 15, 60
_ATTEMPTS = 5  # in a row that bring nothing
_BUSY = (408, 429, 500, 502, 503, 504)
_BROKE_OFF = "breaks off again and again"
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")


class HomeError(Exception):
    """A home does not give the file; the message says why. Another home may."""


class _CutOffError(Exception):
    """The connection ended early or the server is busy: to be tried again."""


def download(
    home: Home, path: Path, name: str, pause: Callable[[float], None] = time.sleep
) -> None:
    """Downloads a file.

    What is at `path` already is taken for its beginning. The server's mark of the file's version
    (ETag) is kept beside it, so that two versions are never joined; a server that gives no parts
    of files makes it begin anew.

    Args:
        home: Where it is.
        path: Where it goes; what has come so far stays there after an error.
        name: Of the data set, for the progress.
        pause: Waits, in seconds, between two attempts.

    Raises:
        HomeError: When it is not to be had there.
        UserError: When the disk is full or cannot be written.
    """
    import requests

    failed, at_first = 0, _size(path)
    with requests.Session() as session:
        while True:
            before = _size(path)
            try:
                return _go_on(session, home, path, name)
            except (_CutOffError, requests.RequestException) as error:
                failed = 1 if _size(path) > before else failed + 1
                never_answered = not isinstance(error, _CutOffError) and _size(path) == at_first
                if never_answered or failed == _ATTEMPTS:
                    raise HomeError(_in_words(error)) from error
            pause(2.0 ** (failed - 1))


def _go_on(session: requests.Session, home: Home, path: Path, name: str) -> None:
    """Makes one request for what is missing and writes what comes."""
    version = path.with_name(path.name + ".version")
    there = _size(path)
    if there and there == home.bytes:
        return
    headers = {"Accept-Encoding": "identity"}  # the parts are of the file, not of a packed form
    if there:
        headers["Range"] = f"bytes={there}-"
        if version.exists():
            headers["If-Range"] = version.read_text()
    patience = (_SECONDS_TO_CONNECT, _SECONDS_WITHOUT_A_BYTE)
    with session.get(home.url, headers=headers, stream=True, timeout=patience) as answer:
        if answer.status_code in _BUSY:
            raise _CutOffError(f"answered {answer.status_code} {answer.reason}")
        first, total = _part_of(answer)
        if answer.status_code == 416 and total == there:
            return
        if answer.status_code == 416 or (first and first != there):
            path.unlink()
            raise _CutOffError("has another file than before")
        if answer.status_code not in (200, 206):
            raise HomeError(f"answered {answer.status_code} {answer.reason}")
        if home.bytes is not None and total not in (None, home.bytes):
            raise HomeError(f"has a file of {total} bytes, expected {home.bytes}")
        with _disk_told(path, total):
            tag = answer.headers.get("ETag", "")
            version.unlink(missing_ok=True)
            if tag and not tag.startswith("W/"):
                version.write_text(tag)
            with path.open("ab" if first else "wb") as file:
                done = first
                for chunk in _chunks(answer):
                    file.write(chunk)
                    if done // MB < (done := done + len(chunk)) // MB or done == total:
                        _tell(name, done, total)
    if total is not None and _size(path) < total:
        raise _CutOffError(_BROKE_OFF)


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    import requests

    try:
        yield from answer.iter_content(_CHUNK)
    except requests.RequestException as error:
        raise _CutOffError(_BROKE_OFF) from error


def _tell(name: str, done: int, total: int | None) -> None:
    whole = None if total is None else -(-total // MB)
    report(
        f"downloading {name}, MB", done // MB if whole is None or done != total else whole, whole
    )


def _part_of(answer: requests.Response) -> tuple[int, int | None]:
    """Returns where an answer begins in the file, and the file's length where it is told."""
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if match:
        return int(match[1] or 0), int(match[2])
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() and answer.status_code == 200 else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextlib.contextmanager
def _disk_told(path: Path, total: int | None) -> Iterator[None]:
    """Tells a disk that takes no more in one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            wanted = "" if total is None else f" of {total / MB:,.0f} MB"
            raise UserError(
                f"{path.parent}: the disk is full after {_size(path) / MB:,.0f} MB{wanted}; free "
                f"some space and give the same command again, which goes on"
            ) from error
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); expected a folder that this user may "
            f"write"
        ) from error


def _in_words(error: Exception) -> str:
    """Says what went wrong on the way to a server, without the client's own names."""
    import requests

    if isinstance(error, _CutOffError):
        return str(error)
    for kind, words in (
        (requests.exceptions.ProxyError, "the proxy does not let it through"),
        (requests.exceptions.SSLError, "its certificate is not trusted here"),
        (requests.exceptions.Timeout, "does not answer in time"),
        (requests.exceptions.ConnectionError, "cannot be reached"),
    ):
        if isinstance(error, kind):
            return words
    return f"{type(error).__name__}: {error}"

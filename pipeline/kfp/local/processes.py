"""Runs a container's command as a process of its own on this machine.

Whoever is killed, the process or the program that waits for it, nothing goes on behind the
back of the next attempt: a process holds the lock of its folder as long as it lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from trainer.core.errors import UserError
from trainer.core.interruption import stop_requests

LOG = "log.txt"
_COMMAND = "command.txt"
_ALIVE = "alive"
_PYTHON = ("python", "python3")
SECONDS_TO_END = 60.0
"""Between SIGTERM and SIGKILL where there is time."""

SECONDS_IN_A_POD = 0.02
"""From SIGTERM to the end on Kubeflow: the launcher dies of it at once, the container with it."""
_POLL_SECONDS = 0.1


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    seconds_to_end: float = SECONDS_TO_END,
) -> int:
    """Runs a command to its end.

    `python` is the interpreter that runs this. Standard output and error go to `log.txt`,
    the command as a shell takes it to `command.txt` of the attempt's folder; it runs in an empty
    folder below that, with no other variables than `environment`.

    Returns:
        Exit status of the process; the negative number of a signal that killed it.

    Raises:
        KeyboardInterrupt: On SIGINT or SIGTERM, after the process was told to end.
        OSError: When the program cannot be started.
    """
    words = [sys.executable if command[0] in _PYTHON else command[0], *command[1:]]
    inside = folder / "cwd"
    inside.mkdir(parents=True, exist_ok=True)
    (folder / _COMMAND).write_text(shlex.join(words) + "\n", encoding="utf-8")
    with (
        stop_requests() as request,
        open(folder / LOG, "ab") as log,
        _locked(folder / _ALIVE) as alive,
    ):
        process = subprocess.Popen(
            words,
            cwd=inside,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it once, from here
            pass_fds=(alive.fileno(),),
        )
        alive.write(str(process.pid))
        alive.flush()
        try:
            while process.poll() is None:
                if request.signal is not None:
                    _end(process, seconds_to_end)
                    raise KeyboardInterrupt
                time.sleep(_POLL_SECONDS)
        except BaseException:  # a second Ctrl-C does not wait
            _signal(process.pid, signal.SIGKILL)
            process.wait()
            raise
        _signal(process.pid, signal.SIGKILL)  # with a container ends all that runs in it
        return process.returncode


def end_survivor(folder: Path, seconds_to_end: float = SECONDS_TO_END) -> None:
    """Ends the process of an attempt whose waiting program was killed, if it still lives.

    Raises:
        UserError: When it cannot be ended.
    """
    path = folder / _ALIVE
    if not path.exists() or not _is_locked(path):
        return
    group = path.read_text(encoding="utf-8")
    for number in (signal.SIGTERM, signal.SIGKILL):
        if group:  # who holds the lock is in that group, so its number is no other's
            _signal(int(group), number)
        deadline = time.monotonic() + (
            seconds_to_end if number == signal.SIGTERM else SECONDS_TO_END
        )
        while _is_locked(path) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    if _is_locked(path):
        raise UserError(
            f"{folder}: process {group or '(unknown)'} of an earlier attempt does not end; end it "
            "and run again"
        )


def last_line(folder: Path) -> str:
    """Returns the last line of an attempt's log that says anything."""
    text = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Tells a process and its children to end, and makes them when they do not."""
    _signal(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    _signal(process.pid, signal.SIGKILL)
    process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[TextIO]:
    """Opens a file whose lock is held by whoever inherits it, until the last of them ends."""
    with open(path, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _is_locked(path: Path) -> bool:
    with open(path, encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False

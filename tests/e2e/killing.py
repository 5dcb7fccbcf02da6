"""Kills the tasks of a run on Kubeflow at random moments, as lost machines and memory do."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

_POLL_SECONDS = 0.1
_LONGEST_SECONDS = 10.0


class Killer:
    """Kills so many attempts at tasks, each once and without a word.

    Args:
        work: Folder of the run.
        count: How many.
        seed: Of the choice of tasks and moments.
        always: A task that is killed at least once.

    Attributes:
        kills: By task, how often it was killed.
    """

    def __init__(self, work: Path, count: int, seed: int, always: str) -> None:
        self.kills: Counter[str] = Counter()
        self._work = work
        self._left = count
        self._most = -(-count // 8)  # so that there are some for most tasks
        self._random = random.Random(seed)
        self._always = always
        self._seen: set[Path] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.wait(_POLL_SECONDS) and self._left:
            for alive in sorted(self._work.glob("tasks/*/*/*/alive")):
                if alive not in self._seen and alive.read_text():
                    self._seen.add(alive)
                    self._perhaps_kill(alive)

    def _perhaps_kill(self, alive: Path) -> None:
        task = alive.parent.parent.name
        wanted = task == self._always and not self.kills[task]
        if not wanted and (self.kills[task] >= self._most or self._random.random() < 0.1):
            return
        until = time.monotonic() + self._random.uniform(1.0, _LONGEST_SECONDS)
        if wanted:  # in the midst of its steps, with a checkpoint behind it
            while not list(alive.parent.glob("log.txt")) or "training stage 2 of" not in _log(
                alive
            ):
                if self._over.wait(_POLL_SECONDS) or not _lives(alive):
                    return
            until = time.monotonic() + 3.0
        while time.monotonic() < until:
            if self._over.wait(_POLL_SECONDS) or not _lives(alive):
                return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(alive.read_text()), signal.SIGKILL)
            self.kills[task] += 1
            self._left -= 1


def survivors(folder: Path) -> list[int]:
    """Returns the processes whose pods are below a folder."""
    processes = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdecimal() and f"HOME={folder}" in (
                (process / "environ").read_bytes().decode(errors="replace")
            ):
                processes.append(int(process.name))
    return processes


def _lives(alive: Path) -> bool:
    try:
        os.killpg(int(alive.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def _log(alive: Path) -> str:
    return alive.with_name("log.txt").read_text(errors="replace")

"""Beam's own pool of external workers in a process group of its own, with nothing shared."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_HIDE = 'for folder in $HIDDEN; do mount -t tmpfs none "$folder" || exit; done; exec "$@"'
_LONGEST_START = 600.0


class WorkerPool:
    """A pool; its workers are processes that it starts, one for each Beam pipeline.

    Attributes:
        address: Where it answers, for `--environment_config`.
        log: What it and its workers wrote.
        hides: Whether the folders that were to be hidden are.
    """

    def __init__(self, folder: Path, hidden: Path) -> None:
        """Starts it and waits until it answers.

        Args:
            folder: For its log; its working, home and temporary folders are in there.
            hidden: Folder that it shall not see, where this user may hide one.
        """
        own = folder / "own"
        own.mkdir()
        self.log = folder / "log"
        self.hides = _may_hide(hidden)
        port = _free_port()
        self.address = f"localhost:{port}"
        command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main"]
        command.append(f"--service_port={port}")
        if self.hides:
            command = ["unshare", "--mount", "sh", "-c", _HIDE, "sh", *command]
        variables = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # it starts `python`
            "PYTHONPATH": str(_ROOT),
            "HIDDEN": str(hidden),
            **dict.fromkeys(("HOME", "TMPDIR"), str(own)),
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=own,
                env={**os.environ, **variables},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait(port)

    @property
    def started(self) -> int:
        """Workers that it has started so far."""
        return self.log.read_text().count("Starting worker with command")

    def kill(self) -> None:
        """Kills it and its workers, as a lost machine would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _wait(self, port: int) -> None:
        end = time.monotonic() + _LONGEST_START
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("localhost", port)):
                return
            time.sleep(0.1)
        self.kill()
        raise AssertionError(f"the worker pool does not answer:\n{self.log.read_text()}")


@contextlib.contextmanager
def running(folder: Path, hidden: Path) -> Iterator[WorkerPool]:
    """Runs a pool in the context; see `WorkerPool`."""
    pool = WorkerPool(folder, hidden)
    try:
        yield pool
    finally:
        pool.kill()


def _may_hide(folder: Path) -> bool:
    command = ["unshare", "--mount", "sh", "-c", _HIDE, "sh", "true"]
    environment = {**os.environ, "HIDDEN": str(folder)}
    try:
        return subprocess.run(command, env=environment, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]

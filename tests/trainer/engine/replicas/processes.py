"""Processes on this machine that stand for the hosts of one run."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def cluster(count: int, chief: bool = False) -> list[str]:
    """Returns `TF_CONFIG` of each process, on ports that are free now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    jobs = {"chief": addresses[:1], "worker": addresses[1:]} if chief else {"worker": addresses}
    tasks = [(job, index) for job, members in jobs.items() for index in range(len(members))]
    return [
        json.dumps({"cluster": jobs, "task": {"type": job, "index": index}}) for job, index in tasks
    ]


@contextlib.contextmanager
def started(
    commands: Sequence[Sequence[str]], logs: Path, chief: bool = False
) -> Iterator[list[subprocess.Popen]]:
    """Starts a process per command, each with its place in a cluster; none outlives the context.

    Args:
        commands: Arguments of Python.
        logs: Folder that gets the output of each, `0.log` and so on.
        chief: Whether the first one is called chief in `TF_CONFIG`.
    """
    logs.mkdir(parents=True, exist_ok=True)
    processes = []
    try:
        places = cluster(len(commands), chief)
        for number, (command, place) in enumerate(zip(commands, places, strict=True)):
            with (logs / f"{number}.log").open("w") as log:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, *command],
                        env=os.environ | {"TF_CONFIG": place},
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()

"""Work timed in processes of their own, so that different libraries can take turns.

A worker reads one JSON request a line from its standard input and answers with one a line:
`{"open": {...}}` prepares a job, `{"take": NAME, "steps": N}` times N steps of one of its
parts. This module is imported by both ends and needs the standard library alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Part = Callable[[int], Any]  # takes so many steps; what it returns is part of the answer


@dataclass(frozen=True)
class Job:
    """What is timed.

    Attributes:
        width: Width factor of the network.
        batch: Patches in a batch.
        patches_per_point: K, patches of a point, next to each other in a batch.
        batches: npy file, uint8 [steps, batch, 32, 32].
        weights: npz file that initial weights are exchanged in.
        augment: Whether patches are flipped and turned.
        bfloat16: Whether ours convolves in bfloat16.
    """

    width: float
    batch: int
    patches_per_point: int
    batches: str
    weights: str
    augment: bool = True
    bfloat16: bool = False


@dataclass(frozen=True)
class Timing:
    """Seconds of a block of steps.

    Attributes:
        wall: That passed.
        cpu: Of all processors together.
        value: What the part returned.
    """

    wall: float
    cpu: float
    value: Any = None


@dataclass(frozen=True)
class Spread:
    """Median, least and largest of some values."""

    median: float
    least: float
    largest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Returns the spread of at least one value."""
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f}-{self.largest:.2f})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Returns how many times faster ours is: seconds of theirs over ours, round by round."""
    return Spread.of(their / our for our, their in zip(ours, theirs, strict=True))


class Worker:
    """A worker process; a context, at whose end the process ends.

    Args:
        python: Interpreter.
        module: Module of this repository to run.
        threads: Passed to it.
        environment: Variables besides this process's own.
    """

    def __init__(
        self, python: str, module: str, threads: int, environment: Mapping[str, str]
    ) -> None:
        self._module = module
        # A file, not a pipe: nobody reads along, and a full pipe would stop the worker.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, "-m", module, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=ROOT,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def open(self, job: Job) -> Any:
        """Prepares a job in place of the one before."""
        return self._ask({"open": asdict(job)})

    def take(self, part: str, steps: int) -> Timing:
        """Times a block of steps."""
        return Timing(**self._ask({"take": part, "steps": steps}))

    def log(self) -> str:
        """Returns what the worker has printed so far."""
        descriptor = self._log.fileno()  # the worker writes where this file's position is
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"{self._module} ended: {self.log()[-2000:]}")
        return json.loads(answer)


def serve(prepare: Callable[[Job], Mapping[str, Part]]) -> None:
    """Answers requests until the standard input ends.

    Args:
        prepare: Returns the parts of a job by name.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    parts: Mapping[str, Part] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "open" in request:
            parts = {}  # frees the last job's memory
            parts = prepare(Job(**request["open"]))
            answer: Any = sorted(parts)
        else:
            answer = asdict(_timed(parts[request["take"]], request["steps"]))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _timed(part: Part, steps: int) -> Timing:
    wall, cpu = time.perf_counter(), time.process_time()
    value = part(steps)
    return Timing(time.perf_counter() - wall, time.process_time() - cpu, value)

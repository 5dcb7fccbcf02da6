"""The compiler for TPUs, in an environment and a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.harness.timing import ROOT
from benchmarks.tpu.cases import Case
from benchmarks.tpu.chips import CHIPS
from trainer.core.errors import UserError

PYTHON = ROOT / ".venv-tpu" / "bin" / "python"
_WORKER = "benchmarks.tpu.libtpu_worker"
_REASON = re.compile(r"^[\w.]*(?:Error|Exception): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Compiled:
    """What the compiler says of a program; bytes and operations are one core's.

    Attributes:
        device: Its name of the chip.
        compiler: Versions.
        seconds: Processor time of the compilation, of all its threads.
        arguments: Bytes of the parameters as they lie in HBM, variables included.
        outputs: Bytes of the results.
        aliased: Bytes of the results that take a parameter's place, as new values of variables do.
        temporary: Bytes at most for what lies between.
        code: Bytes of the program.
        flops: Operations by XLA's analysis of the optimised program.
        traffic: Bytes that its operations read and write, by the same analysis.
        collectives: Number of collective operations by name.
        exchanged: Bytes of their results.
    """

    device: str
    compiler: str
    seconds: float
    arguments: int
    outputs: int
    aliased: int
    temporary: int
    code: int
    flops: float
    traffic: float
    collectives: Mapping[str, int]
    exchanged: int

    @property
    def memory(self) -> int:
        """Bytes of HBM that the program needs."""
        return self.arguments + self.outputs - self.aliased + self.temporary + self.code


def require() -> None:
    """Raises a `UserError` where the compiler is not installed."""
    if not PYTHON.exists():
        raise UserError("the compiler for TPUs is missing; `make tpu-env` installs it")


def compile_for(case: Case, program: bytes) -> dict[str, Any]:
    """Compiles a lowered case; returns the fields of `Compiled`.

    Raises:
        UserError: When the compiler is missing, or refuses the program.
    """
    require()
    with tempfile.NamedTemporaryFile(suffix=".hlo") as file:
        file.write(program)
        file.flush()
        done = subprocess.run(
            [str(PYTHON), "-m", _WORKER, file.name, CHIPS[case.chip].topology, str(case.cores)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise UserError(f"{case.key}: the compiler for TPUs refused it ({reason(done.stderr)})")
    return json.loads(done.stdout)


def reason(log: str) -> str:
    """Returns what an exception in a log says, or the log's last line."""
    told = _REASON.findall(log)
    lines = log.strip().splitlines() or ["it said nothing"]
    return told[-1] if told else lines[-1]

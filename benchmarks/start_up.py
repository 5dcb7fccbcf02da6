"""What a user waits for before anything happens: imports, nearly all of it.

Everything is started twice; the first start may still write bytecode and fill the page cache.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks.harness.targets import Figure, held_to
from trainer.core.errors import UserError

_HPATCHES = (sys.executable, "-m", "pipeline.cli")
_TASK = (sys.executable, "-m", "components.kubeflow.run_executor")
_IMPORT = "import pipeline.cli, pipeline.submission.{}"


@dataclass(frozen=True)
class Start:
    """Seconds that a process took from its start to its end.

    Attributes:
        wall: That passed.
        cpu: Of all processors together.
    """

    wall: float
    cpu: float


def run(work: str) -> Table:
    """Returns the seconds of each start beside its target."""
    if not (Path(work) / "metadata.db").exists():
        raise UserError(f"{work}: no demo has run here; run `make demo` first")
    with tempfile.TemporaryDirectory(prefix="start-up-") as folder:
        compiled = str(Path(folder) / "pipeline.yaml")
        starts = {
            "compile": _second((*_HPATCHES, *_compile(compiled))),
            "submit to Vertex AI: imports": _second(_python(_IMPORT.format("vertex"))),
            "submit to Kubeflow: imports": _second(_python(_IMPORT.format("kubeflow"))),
            "a cached rerun of the demo": _second((*_HPATCHES, *_rerun(work))),
            "a training task's start": _second(_task("Trainer", folder)),
            "an evaluation task's start": _second(_task("Evaluator", folder)),
        }
    table = Table(title="Start-up")
    for column in ("what", "wall s", "CPU s"):
        table.add_column(column, justify="left" if column == "what" else "right")
    figures = []
    for name, start in starts.items():
        table.add_row(name, f"{start.wall:.1f}", f"{start.cpu:.1f}")
        if name.startswith(("compile", "submit")):
            figures.append(Figure(name, start.cpu, "at most", 10, "CPU-s"))
        else:
            figures.append(Figure(name, start.wall, "at most", 12, "s"))
    return held_to(table, figures)


def started(command: Sequence[str]) -> Start:
    """Runs a command to its end.

    Args:
        command: Program and arguments.

    Raises:
        RuntimeError: When it ends with another status than 0.
    """
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Start(wall, cpu)


def _second(command: Sequence[str]) -> Start:
    started(command)
    return started(command)


def _compile(output: str) -> Sequence[str]:
    target = ("--target", "kubeflow", "--image", "example.org/hpatches:1")
    return ("compile", *target, "--output", output)


def _rerun(work: str) -> Sequence[str]:
    return ("run", "--config", "demo", "--work", work)


def _python(code: str) -> Sequence[str]:
    return (sys.executable, "-c", code)


def _task(executor: str, folder: str) -> Sequence[str]:
    """Returns a compiled task's command, with an executor of `benchmarks.only_started`."""
    output = str(Path(folder) / executor / "executor_output.json")
    return (
        *_TASK,
        "--executor_class_path",
        f"benchmarks.only_started.{executor}",
        "--json_serialized_invocation_args",
        json.dumps({"outputs": {"outputFile": output}}),
        "--json_serialized_inputs_spec_args",
        "{}",
    )

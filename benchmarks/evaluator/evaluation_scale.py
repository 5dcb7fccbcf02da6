"""The three tasks at the size of HPatches' split a, from stored descriptors.

40 image sequences x 1,300 points x 16 patches x 128 numbers as files; tasks as large as the
published ones: 3 x 1,000,000 verification rows, 10,000 retrieval queries, 20,000 distractors.
A process of its own scores them, so that its peak memory is that of scoring; on 10, 20 and
40 sequences, so that it shows how the cost grows. Beside it a twentieth of the pairs, of the
queries (with the whole pool) and of the image sequences is scored one at a time. Last, the
same work as the pipeline does it, in Beam with one worker.

How the cost grows: matching is linear in image sequences, and so is verification, as drawn
pairs are 20 per point and set (up to the published 1,000,000). Retrieval is queries x pool.
Both are drawn per point, so it grows with the square of the data until the published 10,000
queries and 20,000 distractors are reached, at about 40 sequences, and is constant from there.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.evaluator import evaluation
from benchmarks.harness import targets
from components.core.beam_runner import DIRECT_RUNNER
from components.core.names import TASK_NAMES
from components.descriptor_evaluator.descriptors.store import StoredDescriptors
from components.descriptor_evaluator.protocol import tasks as task_sources
from components.descriptor_evaluator.protocol.task_tables import Pairs, Points, Tasks
from components.descriptor_evaluator.protocol.tasks import SequenceInfo, TaskSettings
from components.descriptor_evaluator.scoring.score import score
from trainer.core.errors import UserError

SEQUENCES, POINTS, DIMENSION = 40, 1300, 128
GROWTH = (10, 20, 40)
MOST_SECONDS, MOST_GIGABYTES, LEAST_RATIO = 60, 3, 25
SAMPLED = 20  # one in so many is scored the slow way
_LITERAL = {
    "verification": evaluation.literal_verification,
    "matching": evaluation.literal_matching,
    "retrieval": evaluation.literal_retrieval,
}


def run(work: str) -> Table:
    """Returns seconds and memory per number of sequences, and the ratio to the slow way.

    Raises:
        MissedError: When a target is missed.
    """
    Path(work).mkdir(parents=True, exist_ok=True)
    size = f"{POINTS:,} points x 16 patches x {DIMENSION} per sequence"
    table = Table(title=f"{size}, {len(os.sched_getaffinity(0))} cores")
    for column in ("sequences", "task", "rows", "seconds", "CPU-s", "one at a time", "peak MB"):
        table.add_column(column, justify="left" if column == "task" else "right")
    with tempfile.TemporaryDirectory(dir=work, prefix="descriptors-") as folder:
        for number in range(SEQUENCES):
            name = _name(number)
            np.save(f"{folder}/{name}.npy", evaluation.made_up(number, POINTS, DIMENSION))
        for sequences in GROWTH:
            by_task = _measured(folder, sequences, "arrays")
            slow = _one_at_a_time(folder, sequences) if sequences == SEQUENCES else {}
            for task in TASK_NAMES:
                ratio = f"{slow[task] / by_task[task]['wall']:.0f} x" if slow else ""
                table.add_row(
                    str(sequences),
                    task,
                    f"{by_task[task]['units']:,}",
                    f"{by_task[task]['wall']:.1f}",
                    f"{by_task[task]['cpu']:.1f}",
                    ratio,
                    f"{by_task[task]['peak']:,.0f}",
                )
            total = {key: sum(by_task[task][key] for task in TASK_NAMES) for key in ("wall", "cpu")}
            every = f"{sum(slow.values()) / total['wall']:.0f} x" if slow else ""
            if slow:
                figures = targets_of(by_task, slow)
            table.add_row("", "all", "", f"{total['wall']:.1f}", f"{total['cpu']:.1f}", every, "")
        beam = _measured(folder, SEQUENCES, "beam")["all"]
        cells = (f"{beam['wall']:.1f}", f"{beam['cpu']:.1f}", "", f"{beam['peak']:,.0f}")
        table.add_row("", "all, in Beam", "", *cells)
    return targets.held_to(table, figures)


def targets_of(
    by_task: Mapping[str, Mapping[str, float]], slow: Mapping[str, float]
) -> list[targets.Figure]:
    """Returns the figures that have targets.

    Args:
        by_task: By task `wall` seconds and the `peak` memory so far, in MB.
        slow: Seconds of the slow way, by task.
    """
    wall = sum(by_task[task]["wall"] for task in TASK_NAMES)
    peak = max(by_task[task]["peak"] for task in TASK_NAMES) / 1024
    ratio = sum(slow.values()) / wall
    return [
        targets.Figure("all three tasks", wall, "at most", MOST_SECONDS, "s"),
        targets.Figure("peak memory", peak, "at most", MOST_GIGABYTES, "GB"),
        targets.Figure("against one at a time", ratio, "at least", LEAST_RATIO, "x"),
    ]


def _name(number: int) -> str:
    return f"{'iv'[number % 2]}_{number:02d}"


def _tasks(sequences: int) -> Tasks:
    infos = [SequenceInfo(_name(n), _name(n), _name(n)[0], POINTS) for n in range(sequences)]
    return task_sources.draw(infos, TaskSettings())


def _measured(folder: str, sequences: int, way: str) -> dict[str, dict[str, float]]:
    """Scores in a process of its own; by task `units`, `wall`, `cpu` and `peak` so far."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.evaluator.evaluation_scale",
        folder,
        str(sequences),
        way,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"scoring {sequences} sequences failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _score(folder: str, sequences: int) -> dict[str, dict[str, float]]:
    tasks = _tasks(sequences)
    costs = {}
    for task in TASK_NAMES:
        descriptors = StoredDescriptors(folder, tasks.names)
        wall, cpu = time.perf_counter(), time.process_time()
        score(descriptors, tasks, [task])
        costs[task] = {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "units": _units(tasks, task),
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    return costs


def _score_in_beam(folder: str, sequences: int) -> dict[str, dict[str, float]]:
    import apache_beam as beam

    from components.descriptor_evaluator.scoring.beam_scoring import score_in_beam

    tasks = _tasks(sequences)
    wall, cpu = time.perf_counter(), time.process_time()
    score_in_beam(
        StoredDescriptors(folder, tasks.names),
        tasks,
        make_pipeline=lambda: beam.Pipeline(runner=DIRECT_RUNNER),
        folder=folder,
    )
    cost = {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    return {"all": cost}


def _units(tasks: Tasks, task: str) -> int:
    if task == "matching":
        return sum(tasks.counts) * 15
    tables = (tasks.positives, tasks.intra, tasks.inter) if task == "verification" else ()
    return sum(map(len, filter(None, tables))) or len(tasks.queries or ())


def _one_at_a_time(folder: str, sequences: int) -> dict[str, float]:
    """Returns seconds that the slow way takes, from a sample of it."""
    tasks = _tasks(sequences)
    some = replace(
        tasks,
        positives=_every(tasks.positives),
        intra=_every(tasks.intra),
        inter=_every(tasks.inter),
        queries=_every(tasks.queries),
    )
    everything = dict(StoredDescriptors(folder, tasks.names))
    few = replace(some, names=tasks.names[: sequences // SAMPLED])
    seconds = {}
    for task, literal in _LITERAL.items():
        begin = time.perf_counter()
        literal(everything, few if task == "matching" else some)
        seconds[task] = SAMPLED * (time.perf_counter() - begin)
    return seconds


def _every(table: Any) -> Any:
    """Takes one in `SAMPLED` of a table's rows."""
    assert isinstance(table, Pairs | Points)
    columns = {key: values[::SAMPLED] for key, values in vars(table).items()}
    return replace(table, **columns)


def main() -> None:
    """Scores the descriptors of a folder and prints what it took as JSON."""
    folder, sequences, way = itertools.islice(sys.argv, 1, 4)
    measure = _score_in_beam if way == "beam" else _score
    print(json.dumps(measure(folder, int(sequences))))


if __name__ == "__main__":
    main()

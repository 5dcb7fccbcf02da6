"""Runs the tasks of a compiled pipeline in containers of the image, as a cluster would.

Each task is the spec's own command in a container that sees nothing of this machine but one
volume. What a driver does (inputs, conditions) comes from `pipeline.kfp`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.kfp import placeholders
from pipeline.kfp.conditions import holds
from pipeline.kfp.local import executor_input, outcomes
from pipeline.kfp.local.outcomes import SKIPPED, Outcome
from pipeline.kfp.tasks import Task, in_order, read_tasks
from tools.image_check.buildah import CheckError, Container

VOLUME = "/work"
"""Where a container finds the volume."""


def run(
    spec: Mapping[str, Any],
    parameters: Mapping[str, Any],
    container: Container,
    volume: Path,
    until: str,
    say: Callable[[str], None],
) -> dict[str, Outcome]:
    """Runs tasks in their order up to one of them.

    Args:
        spec: KFP PipelineSpec.
        parameters: Parameters of the run, from `pipeline.kfp.parameters.check_parameters`.
        container: Container of the image that the spec names.
        volume: This machine's folder that is mounted as `VOLUME`.
        until: The last task.
        say: Gets a line per task.

    Returns:
        What each task left.

    Raises:
        CheckError: When there is no task of that name, or a task fails.
    """
    tasks = in_order(read_tasks(spec))
    names = [task.name for task in tasks]
    if until not in names:
        raise CheckError(f"found no task {until!r} in the pipeline; it has {', '.join(names)}")
    left: dict[str, Outcome] = {}
    for task in tasks[: names.index(until) + 1]:
        began = time.monotonic()
        left[task.name] = _run(task, left, parameters, container, volume)
        say(f"  {task.name}: {left[task.name].state} ({time.monotonic() - began:.0f} s)")
    return left


def on_this_machine(uri: str, volume: Path) -> Path:
    """Returns where an artifact's address in a container is for this machine."""
    return volume / Path(uri).relative_to(VOLUME)


def _run(
    task: Task,
    left: Mapping[str, Outcome],
    parameters: Mapping[str, Any],
    container: Container,
    volume: Path,
) -> Outcome:
    # Open-source Kubeflow's driver leaves the types out: the harder case of the two.
    inputs = executor_input.resolve_inputs(task, left, parameters, with_types=False)
    typed = executor_input.resolve_inputs(task, left, parameters, with_types=True)
    if task.condition and not holds(task.condition, typed):
        return SKIPPED
    attempt = f"{VOLUME}/run/{task.name}"
    outputs = executor_input.plan_outputs(
        task, f"image-check/{task.name}", f"{attempt}/outputs", attempt
    )
    of_the_run = {
        "pipeline_job_name": "image-check",
        "pipeline_job_uuid": "image-check",
        "pipeline_task_name": task.name,
        "pipeline_task_uuid": task.name,
        "pipeline_root": f"{VOLUME}/run",
    }
    values = executor_input.placeholder_values({"inputs": inputs, "outputs": outputs}, of_the_run)
    described = task.executor["container"]
    words = (*described.get("command", ()), *described.get("args", ()))
    ran = container.run(
        [placeholders.fill(word, values) for word in words],
        volumes={volume: VOLUME},
        log=volume / f"{task.name}.log",
    )
    ran.checked(f"the task {task.name}")
    written = on_this_machine(outputs["outputFile"], volume)
    files = {
        key: on_this_machine(place["outputFile"], volume).read_text()
        for key, place in outputs["parameters"].items()
    }
    return outcomes.merge(outputs, json.loads(written.read_text()), files)

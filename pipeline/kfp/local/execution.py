"""Runs a compiled pipeline on this machine, task by task, as a platform would.

It stands in for the two backends that run the same spec elsewhere, and differs where they
differ from each other:

* `vertex` runs a container's `lifecycle.preCacheCheck` (ExampleGen's driver) before it looks
  into the cache, and tells tasks the types of their input artifacts;
* `kfp` does neither, like the driver of open-source Kubeflow Pipelines. It adds the output
  `executor-logs`, does not look whether cached files are still there, has every attempt at a task
  write to the same place, and runs it as the launcher does (`launcher.Pod`): inputs are
  downloaded, the environment is a pod's, and after SIGTERM next to no time is left.

No container is started: a task's command runs in a process of this machine's Python, with
nothing but its declared inputs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from components.kubeflow.accelerators import REQUESTED
from components.kubeflow.run_executor import MISTAKE
from pipeline.events import Event
from pipeline.kfp import placeholders
from pipeline.kfp.check import check_spec
from pipeline.kfp.conditions import ConditionError, holds
from pipeline.kfp.local import executor_input, importing, launcher, outcomes, processes
from pipeline.kfp.local.outcomes import SKIPPED, Outcome
from pipeline.kfp.local.run_folder import Run, RunFolder, checksum
from pipeline.kfp.parameters import check_parameters
from pipeline.kfp.tasks import Task, in_order, read_tasks
from trainer.core.documents import read_json
from trainer.core.errors import UserError

Mode = Literal["kfp", "vertex"]
Reuse = Literal["never", "if there", "must"]
MODES: tuple[Mode, ...] = ("kfp", "vertex")
_DRIVER = "driver"


def mode_of(spec: Mapping[str, Any]) -> Mode:
    """Returns the backend that a spec was compiled for, as far as it tells."""
    containers = [task.executor.get("container", {}) for task in read_tasks(spec).values()]
    return "vertex" if any("lifecycle" in container for container in containers) else "kfp"


def execute(
    spec: Mapping[str, Any],
    parameters: Mapping[str, Any],
    folder: Path,
    mode: Mode,
    *,
    pipeline_root: str | None = None,
    only_from: Collection[str] = (),
    on_event: Callable[[Event], None] = lambda event: None,
) -> dict[str, Outcome]:
    """Runs a spec to its end, or goes on with a run of the same that did not get there.

    Returns what each task left.

    Args:
        spec: KFP PipelineSpec.
        parameters: Parameters of the run.
        folder: Absolute; for everything that the run writes. Its lock is held.
        mode: Backend to stand in for.
        pipeline_root: For artifacts, e.g. in a bucket; None: a folder of its own below `folder`.
        only_from: Tasks to run anew together with what depends on them, while all others are
            taken from earlier runs; empty for what the spec says on caching.
        on_event: Called whenever a task changes its state.

    Raises:
        UserError: When the spec, the parameters or a task's inputs cannot be used, or a task
            fails; before anything is started where that can be known.
        KeyboardInterrupt: On SIGINT or SIGTERM, after the task at hand was told to end.
    """
    check_spec(spec)
    parameters = check_parameters(spec, parameters)
    tasks = read_tasks(spec)
    anew = _with_dependents(tasks, only_from)
    kept = RunFolder(folder, pipeline_root)
    asked = checksum([spec, parameters, mode, kept.pipeline_root, sorted(only_from)])
    run = kept.open_run(asked)
    kept.save(run)
    for number, task in enumerate(in_order(tasks), 1):
        place = (task.name, number, len(tasks))
        if task.name in run.outcomes:
            on_event(Event(_told(run.outcomes[task.name], "cached"), *place))
            continue
        began = time.monotonic()
        on_event(Event("started", *place))
        step = _Step(task, run, parameters, kept, mode, _reuse(task, anew))
        try:
            outcome, how = step.take()
        except BaseException as error:
            kind = "failed" if isinstance(error, Exception) else "stopped"
            on_event(Event(kind, *place, time.monotonic() - began))
            raise
        run = run.with_outcome(task.name, outcome)
        kept.save(run)
        on_event(Event(_told(outcome, how), *place, time.monotonic() - began))
    kept.save(dataclasses.replace(run, done=True))
    return dict(run.outcomes)


def _reuse(task: Task, anew: Collection[str]) -> Reuse:
    if anew:
        return "never" if task.name in anew else "must"
    return "if there" if task.cached else "never"


def _with_dependents(tasks: Mapping[str, Task], names: Collection[str]) -> set[str]:
    for name in names:
        if name not in tasks:
            raise UserError(f"--from: found {name!r}, expected one of {', '.join(sorted(tasks))}")
    anew = set(names)
    for task in in_order(tasks):
        if anew.intersection(task.after):
            anew.add(task.name)
    return anew


def _told(outcome: Outcome, how: str) -> str:
    return "skipped" if outcome.state == "skipped" else how


@dataclasses.dataclass(frozen=True)
class _Step:
    """One task of a run."""

    task: Task
    run: Run
    parameters: Mapping[str, Any]
    kept: RunFolder
    mode: Mode
    reuse: Reuse

    def take(self) -> tuple[Outcome, str]:
        """Returns what the task leaves, and whether it `finished` or was `cached`."""
        task = self.task
        if any(self.run.outcomes[name].state == "skipped" for name in task.after):
            return SKIPPED, "finished"
        inputs = executor_input.resolve_inputs(
            task, self.run.outcomes, self.parameters, with_types=self.mode == "vertex"
        )
        if task.condition and not self._holds(inputs):
            return SKIPPED, "finished"
        for earlier in self.kept.attempts(self.run.name, task.name):
            processes.end_survivor(earlier, self._seconds_to_end)
            processes.end_survivor(earlier / _DRIVER)
        number, folder = self.kept.new_attempt(self.run.name, task.name)
        if self.mode == "kfp":
            number = 1  # a pod that is tried again is told what the first one was told
        identity = f"{self.run.name}/{task.name}/{number}"
        if "importer" in task.executor:
            return importing.import_artifact(task, inputs["parameterValues"], identity), "finished"
        root = self.kept.artifacts(self.run.name, task.name, number)
        planned = {
            "inputs": inputs,
            "outputs": executor_input.plan_outputs(task, identity, root, str(folder)),
        }
        if self.mode == "vertex":
            planned = self._after_driver(planned, folder)
        else:
            planned["outputs"] = launcher.with_logs(planned["outputs"], root)
        key = self._key(planned["inputs"])
        look = self.mode == "vertex" or self.reuse == "must"
        known = None if self.reuse == "never" else self.kept.recall(key, look)
        if known is not None:
            return known, "cached"
        if self.reuse == "must":
            raise UserError(
                f"{task.name}: no earlier run in this folder finished it with this command and "
                "these inputs (code and settings are among them); leave out --from"
            )
        outcome = self._run(task.executor["container"], planned, folder)
        self.kept.remember(key, outcome)
        return outcome, "finished"

    def _holds(self, inputs: Mapping[str, Any]) -> bool:
        try:
            return holds(self.task.condition, inputs)
        except ConditionError as error:
            raise UserError(f"{self.task.name}: condition {error}") from error

    def _after_driver(self, planned: dict[str, Any], folder: Path) -> dict[str, Any]:
        """Runs the hook before the look into the cache; returns what it completed."""
        hook = self.task.executor["container"].get("lifecycle", {}).get("preCacheCheck")
        if hook is None:
            return planned
        driver = folder / _DRIVER
        driver.mkdir()
        outcome = self._run(hook, planned, driver)
        inputs, outputs = planned["inputs"], planned["outputs"]
        values = {**inputs["parameterValues"], **outcome.parameters}
        artifacts = {key: {"artifacts": listed} for key, listed in outcome.artifacts.items()}
        return {
            "inputs": {**inputs, "parameterValues": values},
            "outputs": {**outputs, "artifacts": artifacts},
        }

    def _run(self, container: Mapping[str, Any], planned: dict[str, Any], folder: Path) -> Outcome:
        """Runs a container's command.

        Raises:
            UserError: When it fails.
        """
        task = self.task
        text = json.dumps(planned, indent=1)
        (folder / "executor_input.json").write_text(text + "\n", encoding="utf-8")
        pod = launcher.Pod(folder / "pod") if self.mode == "kfp" else None
        values = executor_input.placeholder_values(
            planned, self._of_the_run(), lambda uri: str(pod.local_path(uri) if pod else uri)
        )
        command = [
            placeholders.fill(word, values)
            for word in (*container.get("command", ()), *container.get("args", ()))
        ]
        for place in planned["outputs"]["parameters"].values():
            Path(place["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
        environment = {item["name"]: item.get("value", "") for item in container.get("env", ())}
        environment.pop(REQUESTED, None)  # this machine is what it is
        around = pod.environment() if pod else os.environ
        if pod:
            pod.start(task.name, planned)
        try:
            status = processes.run(command, {**around, **environment}, folder, self._seconds_to_end)
        except OSError as error:
            raise UserError(f"{task.name}: {command[0]}: {error.strerror}") from error
        if status != 0:
            raise UserError(_failure(task.name, status, folder))
        if pod:
            pod.finish(planned, folder / processes.LOG)
        return outcomes.merge(planned["outputs"], *_left(planned["outputs"], task.name))

    @property
    def _seconds_to_end(self) -> float:
        return processes.SECONDS_IN_A_POD if self.mode == "kfp" else processes.SECONDS_TO_END

    def _of_the_run(self) -> dict[str, str]:
        return {
            "pipeline_job_name": self.run.name,
            "pipeline_job_uuid": self.run.name,
            "pipeline_task_name": self.task.name,
            "pipeline_task_uuid": f"{self.run.name}-{self.task.name}",
            "pipeline_root": str(self.kept.pipeline_root),
        }

    def _key(self, inputs: Mapping[str, Any]) -> str:
        """Hashes everything that the result of the task depends on."""
        container = self.task.executor["container"]
        names = {
            key: [artifact["name"] for artifact in listed["artifacts"]]
            for key, listed in inputs["artifacts"].items()
        }
        what = {part: container.get(part) for part in ("image", "command", "args", "env")}
        return checksum(
            [self.task.name, self.task.component, what, names, inputs["parameterValues"], self.mode]
        )


def _left(planned: Mapping[str, Any], task: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Reads what a process wrote: its ExecutorOutput, and files of output parameters."""
    path = Path(planned["outputFile"])
    try:
        written = read_json(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise UserError(
            f"{task}: {path} is no JSON ({error}), expected an ExecutorOutput"
        ) from None
    texts = {
        key: Path(place["outputFile"]).read_text(encoding="utf-8")
        for key, place in planned["parameters"].items()
        if Path(place["outputFile"]).exists()
    }
    return written, texts


def _failure(task: str, status: int, folder: Path) -> str:
    last, log = processes.last_line(folder), folder / processes.LOG
    if last.startswith(MISTAKE):
        return f"{task}: {last.removeprefix(MISTAKE)} (log: {log})"
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    said = f"; its last line: {last}" if last else ""
    return (
        f"{task}: its process {how}{said}. The log is {log}; what was finished is kept, and the "
        "same command goes on with this task"
    )

"""A compiled pipeline's tasks, each with what it needs to run: a view of the KFP PipelineSpec."""

from __future__ import annotations

import dataclasses
import graphlib
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Task:
    """One task of the root DAG.

    Attributes:
        name: Name of the task in the DAG.
        component: ComponentSpec of the task (inputs and outputs as declared).
        executor: Executor of the task: `container` or `importer`.
        inputs: TaskInputsSpec: where artifacts and parameters come from.
        after: Tasks that come before it, by declaration or because it takes their outputs.
        condition: CEL expression over its inputs; empty when it always runs.
        cached: Whether the result of an equal execution may stand for it.
    """

    name: str
    component: Mapping[str, Any]
    executor: Mapping[str, Any]
    inputs: Mapping[str, Any]
    after: tuple[str, ...]
    condition: str
    cached: bool

    def declared(self, direction: str, kind: str) -> Mapping[str, Any]:
        """Returns what the component declares.

        Args:
            direction: `input` or `output`.
            kind: `artifacts` or `parameters`.
        """
        return self.component.get(f"{direction}Definitions", {}).get(kind, {})

    def given(self, kind: str) -> Mapping[str, Any]:
        """Returns where the task's `artifacts` or `parameters` come from."""
        return self.inputs.get(kind, {})


def read_tasks(spec: Mapping[str, Any]) -> dict[str, Task]:
    """Returns the tasks of the root DAG by name; what a spec lacks is empty."""
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    tasks = {}
    for name, task in spec.get("root", {}).get("dag", {}).get("tasks", {}).items():
        component = spec.get("components", {}).get(task.get("componentRef", {}).get("name"), {})
        inputs = task.get("inputs", {})
        tasks[name] = Task(
            name=name,
            component=component,
            executor=executors.get(component.get("executorLabel"), {}),
            inputs=inputs,
            after=tuple(sorted({*task.get("dependentTasks", ()), *_producers(inputs)})),
            condition=task.get("triggerPolicy", {}).get("condition", ""),
            cached=bool(task.get("cachingOptions", {}).get("enableCache", False)),
        )
    return tasks


def in_order(tasks: Mapping[str, Task]) -> list[Task]:
    """Returns tasks so that each comes after those it depends on; always in the same order.

    Raises:
        graphlib.CycleError: When there is none.
        KeyError: When one depends on a task that does not exist.
    """
    sorter = graphlib.TopologicalSorter({name: task.after for name, task in tasks.items()})
    sorter.prepare()
    ordered = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += [tasks[name] for name in ready]
        sorter.done(*ready)
    return ordered


def _producers(inputs: Mapping[str, Any]) -> set[str]:
    producers = set()
    for kind, key in (("artifacts", "taskOutputArtifact"), ("parameters", "taskOutputParameter")):
        for source in inputs.get(kind, {}).values():
            if key in source:
                producers.add(source[key].get("producerTask", ""))
    return producers

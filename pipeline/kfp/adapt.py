"""What TFX's compiler cannot say: done to the compiled spec, as plain trees.

Caching per task, retries and timeouts, requests for machines, defaults and descriptions of
parameters, and parameters inside the options of Beam.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from components.kubeflow import time_limit
from components.kubeflow.accelerators import REQUESTED
from pipeline.config.platform import ResourceRequest
from pipeline.kfp import placeholders
from pipeline.kfp.tasks import read_tasks
from trainer.core.errors import UserError

_INPUTS_SPEC = "--json_serialized_inputs_spec_args"
_RETRIES = {
    "maxRetryCount": 2,
    "backoffDuration": "60s",
    "backoffFactor": 2.0,
    "backoffMaxDuration": "3600s",
}
_INPUT_PARAMETER = re.compile(r"\{\{\$\.inputs\.parameters\['([^']+)'\]\}\}")


def without_caching(spec: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Has tasks run every time, as their results depend on what no input tells."""
    changed = copy.deepcopy(dict(spec))
    for name in names:
        changed["root"]["dag"]["tasks"][name]["cachingOptions"] = {}
    return changed


def with_retries(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Has every task with a container tried again, so that a pod that is lost ends no run.

    All of them may be: each writes to folders of its own, a training goes on from its
    checkpoints, and the Pusher finishes a push that was interrupted instead of making another.
    """
    changed = copy.deepcopy(dict(spec))
    for name, task in read_tasks(changed).items():
        if "container" in task.executor:
            changed["root"]["dag"]["tasks"][name]["retryPolicy"] = dict(_RETRIES)
    return changed


def with_timeouts(
    spec: Mapping[str, Any], hours: Mapping[str, float], otherwise: float
) -> dict[str, Any]:
    """Gives every task the time that it may take (`components.kubeflow.time_limit`)."""
    changed = copy.deepcopy(dict(spec))
    for name, task in read_tasks(changed).items():
        label = task.component["executorLabel"]
        container = changed["deploymentSpec"]["executors"][label].get("container")
        if container is not None:
            variable = {"name": time_limit.HOURS, "value": f"{hours.get(name, otherwise):g}"}
            container["env"] = [*container.get("env", ()), variable]
    return changed


def without_drivers(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Takes out what only Vertex AI runs before a container (`lifecycle.preCacheCheck`)."""
    changed = copy.deepcopy(dict(spec))
    for executor in changed["deploymentSpec"]["executors"].values():
        executor.get("container", {}).pop("lifecycle", None)
    return changed


def with_descriptions(
    spec: Mapping[str, Any], descriptions: Mapping[str, str], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Says what the pipeline's parameters are for, and which may be left out."""
    changed = copy.deepcopy(dict(spec))
    declared = changed["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, definition in declared.items():
        definition["description"] = descriptions[name]
        if name in defaults:
            definition |= {"defaultValue": defaults[name], "isOptional": True}
    return changed


def with_resources(
    spec: Mapping[str, Any], requests: Mapping[str, ResourceRequest]
) -> dict[str, Any]:
    """Asks for processors, memory and accelerators, and tells tasks of the latter.

    Raises:
        UserError: When there is no task of a name.
    """
    changed = copy.deepcopy(dict(spec))
    tasks = read_tasks(changed)
    for name, request in requests.items():
        if name not in tasks:
            raise UserError(
                f"platform.resources: found {name!r}, expected names of components: "
                f"{', '.join(sorted(tasks))}"
            )
        label = tasks[name].component["executorLabel"]
        container = changed["deploymentSpec"]["executors"][label]["container"]
        container["resources"] = _resources(request)
        if request.accelerator is not None:
            variable = {"name": REQUESTED, "value": request.accelerator}
            container["env"] = [*container.get("env", ()), variable]
    return changed


def _resources(request: ResourceRequest) -> dict[str, Any]:
    """Returns a ResourceSpec; what is asked for is also the limit."""
    asked: dict[str, Any] = {}
    if request.cpu is not None:
        asked |= {"cpuRequest": request.cpu, "cpuLimit": request.cpu}
    if request.memory is not None:
        asked |= {"memoryRequest": request.memory, "memoryLimit": request.memory}
    if request.accelerator is not None:
        # int64 is a text in the JSON of protocol buffers.
        count = str(request.accelerator_count)
        asked["accelerator"] = {"type": request.accelerator, "count": count}
    return asked


def with_parameters_of_commands(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Gives tasks the pipeline's parameters that their commands name.

    Beam's options may hold placeholders such as `{{$.inputs.parameters['project']}}`, for
    which nothing is put in unless the component declares that input.
    """
    changed = copy.deepcopy(dict(spec))
    for name, task in read_tasks(changed).items():
        container = task.executor.get("container", {})
        hook = container.get("lifecycle", {}).get("preCacheCheck", {})
        words = [*container.get("args", ()), *hook.get("args", ())]
        named = {key for word in words for key in _INPUT_PARAMETER.findall(word)}
        for key in sorted(named - set(task.declared("input", "parameters"))):
            _declare(changed, name, key)
        for part in (container, hook):
            _tell_inputs(part, task.component.get("inputDefinitions", {}))
    return changed


def in_beam_options(options: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Puts the placeholder of a parameter where an option holds its name in braces.

    Example:
        >>> in_beam_options(["--project={project}"], ["project"])
        ("--project={{$.inputs.parameters['project']}}",)
    """
    written = {f"{{{name}}}": placeholders.input_parameter(name) for name in names}
    pattern = re.compile("|".join(map(re.escape, written)) or r"(?!)")
    return tuple(pattern.sub(lambda match: written[match[0]], option) for option in options)


def _declare(spec: dict[str, Any], task: str, key: str) -> None:
    definition = {"parameterType": "STRING"}
    root = spec["root"]
    dag_task = root["dag"]["tasks"][task]
    component = spec["components"][dag_task["componentRef"]["name"]]
    for place in (root, component):
        inputs = place.setdefault("inputDefinitions", {}).setdefault("parameters", {})
        inputs.setdefault(key, dict(definition))
    given = dag_task.setdefault("inputs", {}).setdefault("parameters", {})
    given[key] = {"componentInputParameter": key}


def _tell_inputs(part: dict[str, Any], inputs: Mapping[str, Any]) -> None:
    """Keeps the copy of the declared inputs that TFX's entry point takes as an argument."""
    arguments = part.get("args", [])
    if _INPUTS_SPEC in arguments:
        place = arguments.index(_INPUTS_SPEC) + 1
        arguments[place] = json.dumps(inputs, indent=2, sort_keys=True)

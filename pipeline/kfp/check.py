"""Refuses a compiled pipeline that could not run, before anything is uploaded or started.

What Kubeflow or Vertex AI would find minutes into a run: a name that leads nowhere, an input
that nobody gives, a container without an image.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format

from pipeline.kfp import conditions, form, placeholders
from pipeline.kfp.conditions import ConditionError
from pipeline.kfp.parameters import WORDS, fits
from pipeline.kfp.tasks import Task, in_order, read_tasks
from trainer.core.errors import UserError

SCHEMA_VERSION = "2.1.0"
_PIPELINE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
# Of tasks and outputs; they become names of folders and files.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Host or folder names, perhaps a port, then a tag or digest; see the OCI distribution spec.
_IMAGE = re.compile(
    r"[a-zA-Z0-9]+([._-]+[a-zA-Z0-9]+)*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)


def check_image(where: str, image: str | None) -> None:
    """Refuses what is not the name of a container image.

    Args:
        where: Option, key or task that names it, for the message.
        image: The name; None: there is none.

    Raises:
        UserError: When it is missing or no name of an image.
    """
    if not image:
        raise UserError(
            f"{where}: no image; expected the container image that holds the pipeline, e.g. "
            "--image REGISTRY/hpatches-pipeline:TAG"
        )
    if not _IMAGE.fullmatch(image):
        raise UserError(
            f"{where}: found {image!r}, expected the name of a container image, e.g. "
            "registry.example.com/hpatches-pipeline:1.0"
        )


def check_spec(spec: Mapping[str, Any]) -> None:
    """Refuses a spec that could not run.

    Args:
        spec: KFP PipelineSpec 2.1 as a plain tree (`pipeline.kfp.files.read`).

    Raises:
        UserError: With one sentence per problem.
    """
    problems = list(_form(spec)) or [*_pipeline(spec), *_tasks(spec)]
    if problems:
        raise UserError("\n".join(problems))


def _form(spec: Mapping[str, Any]) -> Iterator[str]:
    """Compares the tree with KFP's own definition: unknown fields, wrong types."""
    from kfp.pipeline_spec import pipeline_spec_pb2  # a second

    parts = (
        ("", spec, pipeline_spec_pb2.PipelineSpec()),
        (
            "deploymentSpec",
            spec.get("deploymentSpec", {}),
            pipeline_spec_pb2.PipelineDeploymentConfig(),
        ),
    )
    problems = [
        problem
        for where, tree, message in parts
        for problem in form.problems(tree, message.DESCRIPTOR, where)
    ]
    yield from dict.fromkeys(problems)
    for _, tree, message in parts if not problems else ():
        try:
            json_format.ParseDict(tree, message)
        except json_format.ParseError as error:
            name = message.DESCRIPTOR.name
            yield f"the spec is no KFP {name}: {' '.join(str(error).split()).rstrip('.')}"


def _pipeline(spec: Mapping[str, Any]) -> Iterator[str]:
    name = spec.get("pipelineInfo", {}).get("name", "")
    if not _PIPELINE_NAME.fullmatch(name):
        yield (
            f"pipelineInfo.name: found {name!r}, expected a text that matches "
            f"^{_PIPELINE_NAME.pattern}$"
        )
    version = spec.get("schemaVersion")
    if version != SCHEMA_VERSION:
        yield f"schemaVersion: found {version!r}, expected {SCHEMA_VERSION!r}"


def _tasks(spec: Mapping[str, Any]) -> Iterator[str]:
    tasks = read_tasks(spec)
    if not tasks:
        yield "root.dag.tasks: the pipeline has no task"
    parameters = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    for name, task in tasks.items():
        if not _NAME.fullmatch(name):
            yield f"root.dag.tasks: found the task {name!r}, expected a name of {_NAME.pattern}"
            continue
        for problem in _task(task, tasks, parameters):
            yield f"{name}: {problem}"
    if all(after in tasks for task in tasks.values() for after in task.after):
        try:
            in_order(tasks)
        except graphlib.CycleError as error:
            yield f"root.dag.tasks: the tasks wait for each other: {' -> '.join(error.args[1])}"


def _task(task: Task, tasks: Mapping[str, Task], parameters: Mapping[str, Any]) -> Iterator[str]:
    for other in task.after:
        if other not in tasks:
            yield f"depends on the task {other!r}, which does not exist"
    if not task.component:
        yield "its component does not exist"
        return
    for kind in ("artifacts", "parameters"):
        for key in task.declared("output", kind):
            if not _NAME.fullmatch(key):
                yield f"found the output {key!r}, expected a name of {_NAME.pattern}"
    yield from _executor(task)
    yield from _given_and_declared(task)
    for key, source in task.given("artifacts").items():
        yield from _artifact(f"input {key}", key, source, task, tasks)
    for key, source in task.given("parameters").items():
        yield from _parameter(f"parameter {key}", key, source, task, tasks, parameters)
    if task.condition:
        try:
            unknown = conditions.input_artifacts(task.condition) - set(task.given("artifacts"))
        except ConditionError as error:
            yield f"condition {error}"
        else:
            yield from (f"its condition looks at {key!r}, which is no input" for key in unknown)


def _executor(task: Task) -> Iterator[str]:
    if "dag" in task.component:
        yield "its component is a DAG of its own, which is not supported"
        return
    container = task.executor.get("container")
    if container is None and "importer" not in task.executor:
        kinds = ", ".join(task.executor) or "none"
        yield f"found the executor {kinds}, expected a container or an importer"
    if container is None:
        return
    try:
        check_image("container", container.get("image"))
    except UserError as error:
        yield str(error)
    hook = container.get("lifecycle", {}).get("preCacheCheck", {})
    for part, what in ((container, "container"), *([(hook, "driver")] if hook else [])):
        if not any(part.get("command", ())):
            # Kubeflow starts it with a program of its own, which looks at no ENTRYPOINT.
            yield f"{what}: no command; expected the program that the task starts"
    words = [
        word
        for part in (container, hook)
        for word in (*part.get("command", ()), *part.get("args", ()))
    ]
    declared = {
        (direction, kind): task.declared(direction, f"{kind}s")
        for direction in ("input", "output")
        for kind in ("artifact", "parameter")
    }
    yield from placeholders.problems(words, declared)


def _given_and_declared(task: Task) -> Iterator[str]:
    for kind in ("artifacts", "parameters"):
        declared, given = task.declared("input", kind), task.given(kind)
        for key in given.keys() - declared.keys():
            yield f"{kind[:-1]} {key} is given, but its component does not declare it"
        for key in declared.keys() - given.keys():
            optional = declared[key].get("isOptional", False) or "defaultValue" in declared[key]
            if not optional:
                yield f"{kind[:-1]} {key} is declared by its component, but not given"


def _artifact(
    where: str, key: str, source: Mapping[str, Any], task: Task, tasks: Mapping[str, Task]
) -> Iterator[str]:
    output = source.get("taskOutputArtifact")
    if output is None:
        yield f"{where}: found {', '.join(source) or 'nothing'}, expected another task's output"
        return
    producer = tasks.get(output.get("producerTask", ""))
    if producer is None or not producer.component:
        return  # told already
    made = producer.declared("output", "artifacts")
    name = output.get("outputArtifactKey", "")
    if name not in made:
        yield (
            f"{where}: {producer.name} has no output {name!r}; expected one of "
            f"{', '.join(sorted(made)) or '(none)'}"
        )
    elif key in task.declared("input", "artifacts"):
        wanted = _title(task.declared("input", "artifacts")[key])
        if _title(made[name]) != wanted and "system.Artifact" not in (wanted, _title(made[name])):
            yield f"{where}: {producer.name} makes {_title(made[name])}, expected {wanted}"


def _title(declared: Mapping[str, Any]) -> str:
    """Returns the name of an artifact's type, however the spec writes it."""
    kind = declared.get("artifactType", {})
    schema = re.search(r"^title: *(\S+)", kind.get("instanceSchema", ""), re.MULTILINE)
    return schema[1] if schema else kind.get("schemaTitle", "")


def _parameter(
    where: str,
    key: str,
    source: Mapping[str, Any],
    task: Task,
    tasks: Mapping[str, Task],
    parameters: Mapping[str, Any],
) -> Iterator[str]:
    wanted = task.declared("input", "parameters").get(key, {}).get("parameterType")
    if "componentInputParameter" in source:
        name = source["componentInputParameter"]
        if name not in parameters:
            yield f"{where}: the pipeline has no parameter {name!r}"
            return
        given = parameters[name].get("parameterType")
    elif "taskOutputParameter" in source:
        output = source["taskOutputParameter"]
        producer = tasks.get(output.get("producerTask", ""))
        if producer is None or not producer.component:
            return  # told already
        made = producer.declared("output", "parameters")
        name = output.get("outputParameterKey", "")
        if name not in made:
            yield f"{where}: {producer.name} has no output parameter {name!r}"
            return
        given = made[name].get("parameterType")
    elif "constant" in source.get("runtimeValue", {}):
        constant = source["runtimeValue"]["constant"]
        if wanted in WORDS and not fits(wanted, constant):
            yield f"{where}: found {constant!r}, expected {WORDS[wanted]}"
        return
    else:
        yield f"{where}: found {', '.join(source) or 'nothing'}, expected a value or its source"
        return
    if wanted is not None and given != wanted:
        yield f"{where}: found a {given}, expected a {wanted}"

"""The ExecutorInput of a task: what a platform's driver resolves before a container starts.

Plain trees in the JSON form of KFP's protocol buffers; nothing here reads or writes a file.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.kfp import placeholders
from pipeline.kfp.local.outcomes import Outcome
from pipeline.kfp.tasks import Task


def resolve_inputs(
    task: Task,
    outcomes: Mapping[str, Outcome],
    parameters: Mapping[str, Any],
    *,
    with_types: bool,
) -> dict[str, Any]:
    """Returns a task's declared inputs, and nothing else, with their values.

    Vertex AI tells the types of artifacts; the driver of open-source Kubeflow Pipelines hands
    them over with an empty `instanceSchema`.

    Returns:
        `artifacts` and `parameterValues`. What is optional and not given is left out.
    """
    artifacts: dict[str, Any] = {}
    for key, source in task.given("artifacts").items():
        output = source["taskOutputArtifact"]
        made = outcomes[output["producerTask"]].artifacts[output["outputArtifactKey"]]
        artifacts[key] = {"artifacts": [_typed(artifact, with_types) for artifact in made]}
    values: dict[str, Any] = {
        key: declared["defaultValue"]
        for key, declared in task.declared("input", "parameters").items()
        if "defaultValue" in declared
    }
    for key, source in task.given("parameters").items():
        values[key] = _parameter(source, outcomes, parameters)
    return {"artifacts": artifacts, "parameterValues": values}


def plan_outputs(task: Task, identity: str, root: str, attempt: str) -> dict[str, Any]:
    """Returns where a task's process is to leave what.

    Args:
        task: The task.
        identity: Name of this attempt; artifacts are named after it.
        root: Folder for its artifacts.
        attempt: Folder for `executor_output.json` and output parameters.
    """
    return {
        "artifacts": {
            key: {
                "artifacts": [
                    {
                        "name": f"{identity}/{key}",
                        "uri": posixpath.join(root, key),
                        "type": dict(declared.get("artifactType", {})),
                        "metadata": dict(declared.get("metadata", {})),
                    }
                ]
            }
            for key, declared in task.declared("output", "artifacts").items()
        },
        "parameters": {
            key: {"outputFile": posixpath.join(attempt, "parameters", key)}
            for key in task.declared("output", "parameters")
        },
        "outputFile": posixpath.join(attempt, "executor_output.json"),
    }


def placeholder_values(
    executor_input: Mapping[str, Any],
    of_the_run: Mapping[str, str],
    local_path: Callable[[str], str] = str,
) -> dict[str, str]:
    """Returns what stands for which placeholder in the container's command.

    Args:
        executor_input: `inputs` and `outputs`.
        of_the_run: Values of `{{$.pipeline_root}}` and the like, by name.
        local_path: Gives the file or folder that stands for a URI on the task's machine.
    """
    values = {placeholders.INVOCATION: json.dumps(executor_input)}
    values |= {f"{{{{$.{name}}}}}": text for name, text in of_the_run.items()}
    for key, value in executor_input["inputs"]["parameterValues"].items():
        text = value if isinstance(value, str) else json.dumps(value)
        values[placeholders.input_parameter(key)] = text
    for direction in ("inputs", "outputs"):
        for key, listed in executor_input[direction]["artifacts"].items():
            uri = listed["artifacts"][0]["uri"] if listed["artifacts"] else ""
            for field, text in (("uri", uri), ("path", local_path(uri) if uri else "")):
                values[f"{{{{$.{direction}.artifacts['{key}'].{field}}}}}"] = text
    for key, place in executor_input["outputs"]["parameters"].items():
        values[f"{{{{$.outputs.parameters['{key}'].output_file}}}}"] = place["outputFile"]
    return values


def _typed(artifact: Mapping[str, Any], with_types: bool) -> dict[str, Any]:
    return {**artifact} if with_types else {**artifact, "type": {"instanceSchema": ""}}


def _parameter(
    source: Mapping[str, Any], outcomes: Mapping[str, Outcome], parameters: Mapping[str, Any]
) -> Any:
    if "componentInputParameter" in source:
        return parameters[source["componentInputParameter"]]
    if "taskOutputParameter" in source:
        output = source["taskOutputParameter"]
        return outcomes[output["producerTask"]].parameters[output["outputParameterKey"]]
    return source["runtimeValue"]["constant"]

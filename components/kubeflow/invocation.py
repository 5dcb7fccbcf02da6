"""What TFX's entry point is handed: the ExecutorInput, put right where the backend's does not fit.

The driver of open-source Kubeflow Pipelines leaves the types of input artifacts out
(`instanceSchema` is empty; https://github.com/tensorflow/tfx/issues/7768), or tells a type of
its own. The types stand in the task's arguments, from where they are filled in. Since 2.5 it
also plans an output of its own, `executor-logs` of type `system.Artifact`, that no component
declares and that TFX ends on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

INVOCATION = "--json_serialized_invocation_args"
INPUTS_SPEC = "--json_serialized_inputs_spec_args"
_NOT_OURS = "system."
"""How the titles begin of the types that Kubeflow Pipelines itself defines."""


def completed(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with all inputs typed, and with the component's own outputs alone.

    Args:
        arguments: Arguments of the task, with the ExecutorInput as JSON after `INVOCATION` and the
            component's input definitions as JSON after `INPUTS_SPEC`.

    Example:
        >>> typed = completed([
        ...     INVOCATION, '{"inputs": {"artifacts": {"a": {"artifacts": [{"uri": "x"}]}}}}',
        ...     INPUTS_SPEC, '{"artifacts": {"a": {"artifactType": {"schemaTitle": "T"}}}}',
        ... ])
        >>> json.loads(typed[1])["inputs"]["artifacts"]["a"]["artifacts"]
        [{'uri': 'x', 'type': {'schemaTitle': 'T'}}]
    """
    changed = list(arguments)
    if INVOCATION not in changed:
        return changed
    place = changed.index(INVOCATION) + 1
    invocation = json.loads(changed[place])
    if INPUTS_SPEC in changed:
        defined = json.loads(changed[changed.index(INPUTS_SPEC) + 1]).get("artifacts", {})
        _type(invocation, defined)
    outputs = invocation.get("outputs", {}).get("artifacts", {})
    for key in [key for key, listed in outputs.items() if _is_foreign(listed)]:
        del outputs[key]
    changed[place] = json.dumps(invocation)
    return changed


def output_folders(arguments: Sequence[str]) -> list[str]:
    """Returns the URIs of the artifacts that a task makes, by what `completed` gave."""
    if INVOCATION not in arguments:
        return []
    invocation = json.loads(arguments[list(arguments).index(INVOCATION) + 1])
    outputs = invocation.get("outputs", {}).get("artifacts", {})
    return [artifact["uri"] for listed in outputs.values() for artifact in _artifacts(listed)]


def _type(invocation: Mapping[str, Any], defined: Mapping[str, Any]) -> None:
    for key, listed in invocation.get("inputs", {}).get("artifacts", {}).items():
        for artifact in _artifacts(listed):
            title = _title(artifact.get("type", {}))
            if key in defined and (not title or title.startswith(_NOT_OURS)):
                artifact["type"] = defined[key]["artifactType"]


def _is_foreign(listed: Mapping[str, Any]) -> bool:
    titles = [_title(artifact.get("type", {})) for artifact in _artifacts(listed)]
    return any(title.startswith(_NOT_OURS) for title in titles)


def _artifacts(listed: Mapping[str, Any]) -> list[dict[str, Any]]:
    return listed.get("artifacts", [])


def _title(kind: Mapping[str, Any]) -> str:
    schema = yaml.safe_load(kind.get("instanceSchema") or "") or {}
    return kind.get("schemaTitle") or schema.get("title", "")

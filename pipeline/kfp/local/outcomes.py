"""What a task of a compiled pipeline leaves: artifacts and parameters, as KFP writes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from trainer.core.documents import read_json

State = Literal["finished", "skipped"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes:
        state: `finished`, or `skipped` because of a condition.
        artifacts: By output key, the RuntimeArtifacts as JSON trees (`name`, `uri`, `type`,
            `metadata`).
        parameters: Value by output key.
    """

    state: State
    artifacts: Mapping[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Outcome:
        """Returns what `dataclasses.asdict` turned into a plain tree."""
        return cls(tree["state"], tree["artifacts"], tree["parameters"])


SKIPPED = Outcome("skipped")


def merge(
    outputs: Mapping[str, Any], written: Mapping[str, Any], files: Mapping[str, str]
) -> Outcome:
    """Joins what was planned for a task's outputs with what its process says of them.

    Args:
        outputs: The ExecutorInput's `outputs`.
        written: The ExecutorOutput that the process wrote (`executor_output.json`).
        files: Text of the files that hold output parameters, by output key.

    Returns:
        A finished task's outcome. Names and types stay as planned, metadata are added.
    """
    artifacts = {}
    for key, planned in outputs.get("artifacts", {}).items():
        said = written.get("artifacts", {}).get(key, {}).get("artifacts", [])
        artifacts[key] = [
            _merged(artifact, said[number] if number < len(said) else {})
            for number, artifact in enumerate(planned["artifacts"])
        ]
    parameters = {key: _value(text) for key, text in files.items()}
    return Outcome("finished", artifacts, {**parameters, **written.get("parameterValues", {})})


def _merged(planned: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {**planned.get("metadata", {}), **said.get("metadata", {})}
    return {**planned, "uri": said.get("uri") or planned["uri"], "metadata": metadata}


def _value(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text

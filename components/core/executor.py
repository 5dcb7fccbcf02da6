"""What every executor does around its work: one method to fill in, artifacts by key."""

from __future__ import annotations

import dataclasses
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor, base_executor
from tfx.types import artifact_utils

from components.core import files


@dataclasses.dataclass(frozen=True)
class Execution:
    """One execution of a component: artifacts by key, properties by name."""

    inputs: dict[str, list[types.Artifact]]
    outputs: dict[str, list[types.Artifact]]
    properties: dict[str, Any]

    def input(self, key: str) -> types.Artifact:
        """Returns the one artifact of an input."""
        return artifact_utils.get_single_instance(self.inputs[key])

    def input_uri(self, key: str) -> str:
        """Returns where an input lies; "" for an optional input that there is none of."""
        return self.input(key).uri if self.inputs.get(key) else ""

    def output(self, key: str) -> types.Artifact:
        """Returns the one artifact of an output."""
        return artifact_utils.get_single_instance(self.outputs[key])

    def write_text(self, key: str, name: str, text: str) -> None:
        """Writes a file into the folder of an output."""
        files.write_text(files.join(self.output(key).uri, name), text)

    def write_json(self, key: str, name: str, content: Any) -> None:
        """Writes a JSON file into the folder of an output."""
        files.write_json(files.join(self.output(key).uri, name), content)


class ExecuteMixin:
    """Turns TFX's `Do` into `execute`; stands before one of TFX's executors among the bases."""

    def Do(  # noqa: N802 - TFX names it
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Logs what the execution was given and does its work."""
        self._log_startup(input_dict, output_dict, exec_properties)  # type: ignore[attr-defined]
        self.execute(Execution(input_dict, output_dict, exec_properties))

    def execute(self, execution: Execution) -> None:
        """Does the component's work: reads the inputs, fills the outputs."""
        raise NotImplementedError


class Executor(ExecuteMixin, base_executor.BaseExecutor):
    """Base of executors."""


class BeamExecutor(ExecuteMixin, base_beam_executor.BaseBeamExecutor):
    """Base of executors that run Beam pipelines, made by `self._make_beam_pipeline()`."""

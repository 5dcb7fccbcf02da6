"""The schema of the records, brought into the run with this package rather than by a path.

TFX's ImportSchemaGen takes the path of a file, which is another one in every container, and
its cache key holds that path, not what the file says.
"""

from __future__ import annotations

from importlib import resources
from typing import ClassVar

from tfx.dsl.components.base import executor_spec
from tfx.types import component_spec, standard_artifacts

from components.core.component import TEXT, Component, channel
from components.schema import executor


def packaged_schema() -> str:
    """Returns the schema that comes with this package, as text."""
    return (resources.files("components.schema") / executor.FILE_NAME).read_text(encoding="utf-8")


class ImportSchemaGenSpec(component_spec.ComponentSpec):
    """Interface of `ImportSchemaGen`."""

    PARAMETERS: ClassVar = {executor.SCHEMA_TEXT_KEY: TEXT}
    INPUTS: ClassVar[dict[str, component_spec.ChannelParameter]] = {}
    OUTPUTS: ClassVar = {executor.SCHEMA_KEY: channel(standard_artifacts.Schema)}


class ImportSchemaGen(Component):
    """Leaves a schema as TFX's component of this name does.

    Args:
        schema_text: The schema as text; it is all of the cache key.

    Component `outputs` contains:
     - `schema`: Channel of type `standard_artifacts.Schema`: `schema.pbtxt`.
    """

    SPEC_CLASS = ImportSchemaGenSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

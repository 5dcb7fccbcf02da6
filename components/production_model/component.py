"""The TFX component that brings the model in production into the run.

It takes the place of a TFX Resolver, which the open-source Kubeflow backend cannot run.
"""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration import data_types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.production_model import executor


class ProductionModelSpec(ComponentSpec):
    """Interface of `ProductionModel`."""

    PARAMETERS: ClassVar = {
        "push_destination": ExecutionParameter(type=str),
        "production_checksum": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS: ClassVar = {"model": ChannelParameter(type=standard_artifacts.Model)}


class ProductionModel(base_component.BaseComponent):
    """Finds the newest version at the push destination: the baseline, and the warm start.

    The output `model` exists even if nothing has been pushed yet: its custom property
    `exists` is then 0 and its folder holds only `production.json`.
    """

    SPEC_CLASS = ProductionModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        push_destination: str | data_types.RuntimeParameter,
        production_checksum: str = "",
        code_fingerprint: str = "",
    ):
        """Creates the component.

        Args:
            push_destination: Folder with one SavedModel per version; local or `gs://`.
            production_checksum: `served_model.current_checksum(push_destination)`, taken just
                before the run: part of the cache key. "" means: look when the component
                runs; its caching must then be off (Kubeflow's compiled spec sees to that).
            code_fingerprint: Fingerprint of the executor's code; part of the cache key.
        """
        spec = ProductionModelSpec(
            push_destination=push_destination,
            production_checksum=production_checksum,
            code_fingerprint=code_fingerprint,
            model=types.Channel(type=standard_artifacts.Model),
        )
        super().__init__(spec=spec)

"""The TFX component that brings the model in production into the run.

It takes the place of a TFX Resolver, which the open-source Kubeflow backend cannot run.
"""

from __future__ import annotations

from typing import ClassVar

from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec

from components.core.component import TEXT, Component, channel
from components.core.names import CODE_FINGERPRINT_KEY
from components.serving.production_model import executor


class ProductionModelSpec(ComponentSpec):
    """Interface of `ProductionModel`."""

    PARAMETERS: ClassVar = {
        "push_destination": TEXT,
        "production_checksum": TEXT,
        CODE_FINGERPRINT_KEY: TEXT,
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS: ClassVar = {"model": channel(standard_artifacts.Model)}


class ProductionModel(Component):
    """Finds the newest version at the push destination: the baseline, and the warm start.

    The output `model` exists even if nothing has been pushed yet: its custom property
    `exists` is then 0 and its folder holds only `production.json`.

    Args:
        push_destination: Folder with one SavedModel per version; local or `gs://`.
        production_checksum: `served_model.current_checksum(push_destination)`, taken just
            before the run: part of the cache key. "" means: look when the component runs; its
            caching must then be off (Kubeflow's compiled spec sees to that).
        code_fingerprint: Fingerprint of the executor's code; part of the cache key.
    """

    SPEC_CLASS = ProductionModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

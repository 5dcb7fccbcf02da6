"""The stock Pusher component around our executor."""

from __future__ import annotations

from typing import ClassVar

from tfx.components.pusher import component as stock
from tfx.dsl.components.base import executor_spec
from tfx.types import component_spec, standard_component_specs

from components.core.component import TEXT, ByName
from components.core.names import CODE_FINGERPRINT_KEY
from components.serving.pusher import executor


class PusherSpec(component_spec.ComponentSpec):
    """The stock interface, but with the destination as a plain text.

    In the stock one it lies inside a proto, where no parameter of a run can be put in.
    """

    PARAMETERS: ClassVar = {
        executor.PUSH_DESTINATION_KEY: TEXT,
        executor.DESTINATION_STATE_KEY: TEXT,
        CODE_FINGERPRINT_KEY: TEXT,
    }
    INPUTS: ClassVar = standard_component_specs.PusherSpec.INPUTS
    OUTPUTS: ClassVar = standard_component_specs.PusherSpec.OUTPUTS


class Pusher(ByName, stock.Pusher):
    """TFX's Pusher: same inputs and outputs, same gates; only the way of copying differs.

    Args:
        model: The candidate, a `standard_artifacts.Model`.
        model_blessing: The evaluator's verdict; without it and the next nothing is pushed.
        infra_blessing: The serving validator's verdict.
        push_destination: Folder of versions that the model server watches; local or `gs://`.
        code_fingerprint: See `trainer.core.code_fingerprint`.
        destination_state: `push_log.pusher_state(push_destination)`, taken before the run,
            so that no cached "pushed" stands for a model that was rolled back or deleted
            meanwhile; only part of the cache key. "" leaves it out.
    """

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

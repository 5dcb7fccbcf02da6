"""The stock Pusher component around our executor."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.components.pusher import component as stock
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration import data_types
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from components.pusher import executor


class PusherSpec(component_spec.ComponentSpec):
    """The stock interface, but with the destination as a plain text.

    In the stock one it lies inside a proto, where no parameter of a run can be put in.
    """

    PARAMETERS: ClassVar = {
        executor.PUSH_DESTINATION_KEY: component_spec.ExecutionParameter(type=str),
        executor.DESTINATION_STATE_KEY: component_spec.ExecutionParameter(type=str),
        executor.CODE_FINGERPRINT_KEY: component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = standard_component_specs.PusherSpec.INPUTS
    OUTPUTS: ClassVar = standard_component_specs.PusherSpec.OUTPUTS


class Pusher(stock.Pusher):
    """TFX's Pusher: same inputs and outputs, same gates; only the way of copying differs."""

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        infra_blessing: types.BaseChannel,
        push_destination: str | data_types.RuntimeParameter,
        code_fingerprint: str,
        destination_state: str = "",
    ):
        """Builds the component, which needs both blessings.

        Args:
            model: The candidate, a `standard_artifacts.Model`.
            model_blessing: The evaluator's verdict.
            infra_blessing: The serving validator's verdict.
            push_destination: Folder of versions that the model server watches; local or
                `gs://`.
            code_fingerprint: See `trainer.core.code_fingerprint`.
            destination_state: `push_log.pusher_state(push_destination)`, taken before the run,
                so that no cached "pushed" stands for a model that was rolled back or deleted
                meanwhile; only part of the cache key. "" leaves it out.
        """
        spec = PusherSpec(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=push_destination,
            destination_state=destination_state,
            code_fingerprint=code_fingerprint,
            pushed_model=types.Channel(type=standard_artifacts.PushedModel),
        )
        # Not the stock constructor, which would make a spec of its own.
        base_component.BaseComponent.__init__(self, spec=spec)

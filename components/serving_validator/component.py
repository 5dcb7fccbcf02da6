"""The TFX component that decides whether the candidate can be served."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.serving_validator import executor

DEFAULT_TIMEOUT_SECONDS = 300


class ServingValidatorSpec(ComponentSpec):
    """Interface of `ServingValidator`."""

    PARAMETERS: ClassVar = {
        "timeout_seconds": ExecutionParameter(type=int),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "examples": ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }
    OUTPUTS: ClassVar = {"blessing": ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServingValidator(base_component.BaseComponent):
    """Loads the candidate in a clean process without project code and tries its signatures.

    It stands where TFX's InfraValidator does, which needs Docker or Kubernetes and does not
    run on Kubeflow v2; the Pusher takes its `blessing` as an infra blessing.
    """

    SPEC_CLASS = ServingValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        examples: types.BaseChannel | None = None,
        timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS,
        code_fingerprint: str = "",
    ):
        """Creates the component.

        Args:
            model: The candidate, a `standard_artifacts.Model`.
            examples: ExampleGen's output, for a few real patches; noise without it.
            timeout_seconds: For loading and all checks together.
            code_fingerprint: Fingerprint of the executor's code; part of the cache key.
        """
        spec = ServingValidatorSpec(
            model=model,
            examples=examples,
            timeout_seconds=timeout_seconds,
            code_fingerprint=code_fingerprint,
            blessing=types.Channel(type=standard_artifacts.InfraBlessing),
        )
        super().__init__(spec=spec)

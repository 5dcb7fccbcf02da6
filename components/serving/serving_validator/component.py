"""The TFX component that decides whether the candidate can be served."""

from __future__ import annotations

from typing import ClassVar

from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ComponentSpec, ExecutionParameter

from components.core.component import TEXT, Component, channel
from components.core.names import CODE_FINGERPRINT_KEY
from components.serving.serving_validator import executor


class ServingValidatorSpec(ComponentSpec):
    """Interface of `ServingValidator`."""

    PARAMETERS: ClassVar = {
        "timeout_seconds": ExecutionParameter(type=int),
        CODE_FINGERPRINT_KEY: TEXT,
    }
    INPUTS: ClassVar = {
        "model": channel(standard_artifacts.Model),
        "examples": channel(standard_artifacts.Examples, optional=True),
    }
    OUTPUTS: ClassVar = {"blessing": channel(standard_artifacts.InfraBlessing)}


class ServingValidator(Component):
    """Loads the candidate in a clean process without project code and tries its signatures.

    It stands where TFX's InfraValidator does, which needs Docker or Kubernetes and does not
    run on Kubeflow v2; the Pusher takes its `blessing` as an infra blessing.

    Args:
        model: The candidate, a `standard_artifacts.Model`.
        examples: ExampleGen's output, for a few real patches; noise without it.
        timeout_seconds: For loading and all checks together; five minutes when left out.
        code_fingerprint: Fingerprint of the executor's code; part of the cache key.
    """

    SPEC_CLASS = ServingValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DEFAULTS: ClassVar = {"timeout_seconds": 300}

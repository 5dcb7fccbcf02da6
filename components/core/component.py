"""What every component does around its interface: arguments by name, channels for its outputs."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, base_component, executor_spec
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

TEXT = ExecutionParameter(type=str)
OPTIONAL_TEXT = ExecutionParameter(type=str, optional=True)


def channel(kind: type[types.Artifact], optional: bool = False) -> ChannelParameter:
    """Returns the declaration of an input or output with artifacts of one type.

    A type of our own could not be compiled for Kubeflow: its name must import as it is.
    """
    return ChannelParameter(type=kind, optional=optional)


class ByName:
    """Takes what `SPEC_CLASS` declares, under the names there; before TFX's class in the bases.

    The docstring of a component says what its arguments are. TFX refuses one that is missing,
    unknown or of another type.
    """

    DEFAULTS: ClassVar[dict[str, Any]] = {}
    SPEC_CLASS: ClassVar[Any]

    def __init__(
        self, custom_executor_spec: executor_spec.ExecutorSpec | None = None, **given: Any
    ) -> None:
        """Builds the component.

        Args:
            custom_executor_spec: In place of the class's own.
            **given: Inputs and parameters.
        """
        outputs = {
            key: types.Channel(type=declared.type)
            for key, declared in self.SPEC_CLASS.OUTPUTS.items()
        }
        spec = self.SPEC_CLASS(**outputs, **(self.DEFAULTS | given))
        # Not `super()`: the constructors of TFX's own components make specs of their own.
        base_component.BaseComponent.__init__(self, spec, custom_executor_spec)


class Component(ByName, base_component.BaseComponent):
    """Base of components."""


class BeamComponent(ByName, base_beam_component.BaseBeamComponent):
    """Base of components whose executors run Beam pipelines."""

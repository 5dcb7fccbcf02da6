"""AnomalyGate: data that does not match the schema stops the run before it is learned from."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts
from tfx.types.experimental import simple_artifacts

from components.anomaly_gate import executor


class AnomalyGateSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of AnomalyGate."""

    PARAMETERS: ClassVar = {
        executor.REPORT_FOLDER_KEY: component_spec.ExecutionParameter(type=str, optional=True),
        executor.CODE_FINGERPRINT_KEY: component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        executor.ANOMALIES_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ExampleAnomalies
        )
    }
    # A type of our own could not be compiled for Kubeflow: its name must import as it is.
    OUTPUTS: ClassVar = {
        executor.REPORT_KEY: component_spec.ChannelParameter(type=simple_artifacts.File)
    }


class AnomalyGate(base_component.BaseComponent):
    """Turns ExampleValidator's report into a stop; ExampleValidator itself only reports.

    Component `outputs` contains:
     - `report`: Channel of type `simple_artifacts.File`: `anomalies.json`, empty of
       anomalies.
    """

    SPEC_CLASS = AnomalyGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self, anomalies: types.BaseChannel, code_fingerprint: str, report_folder: str = ""
    ):
        """Builds the component.

        Args:
            anomalies: ExampleValidator's output.
            code_fingerprint: See `trainer.core.code_fingerprint`.
            report_folder: Folder where the report of a refusal stays (a runner deletes
                the outputs of a component that failed); empty for none.
        """
        super().__init__(
            spec=AnomalyGateSpec(
                anomalies=anomalies,
                report=types.Channel(type=simple_artifacts.File),
                report_folder=report_folder,
                code_fingerprint=code_fingerprint,
            )
        )

"""AnomalyGate: data that does not match the schema stops the run before it is learned from."""

from __future__ import annotations

from typing import ClassVar

from tfx.dsl.components.base import executor_spec
from tfx.types import component_spec, standard_artifacts
from tfx.types.experimental import simple_artifacts

from components.anomaly_gate import executor
from components.core.component import OPTIONAL_TEXT, TEXT, Component, channel
from components.core.names import CODE_FINGERPRINT_KEY


class AnomalyGateSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of AnomalyGate."""

    PARAMETERS: ClassVar = {
        executor.REPORT_FOLDER_KEY: OPTIONAL_TEXT,
        CODE_FINGERPRINT_KEY: TEXT,
    }
    INPUTS: ClassVar = {executor.ANOMALIES_KEY: channel(standard_artifacts.ExampleAnomalies)}
    OUTPUTS: ClassVar = {executor.REPORT_KEY: channel(simple_artifacts.File)}


class AnomalyGate(Component):
    """Turns ExampleValidator's report into a stop; ExampleValidator itself only reports.

    Args:
        anomalies: ExampleValidator's output.
        code_fingerprint: See `trainer.core.code_fingerprint`.
        report_folder: Folder where the report of a refusal stays (a runner deletes the outputs
            of a component that failed); empty for none.

    Component `outputs` contains:
     - `report`: Channel of type `simple_artifacts.File`: `anomalies.json`, empty of
       anomalies.
    """

    SPEC_CLASS = AnomalyGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

"""EvaluationReport: one HTML file that shows what an evaluation found, and why."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration import data_types
from tfx.types import component_spec, standard_artifacts
from tfx.types.experimental import simple_artifacts

from components.evaluation_report import executor


class EvaluationReportSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of EvaluationReport."""

    PARAMETERS: ClassVar = {
        executor.IMAGES_KEY: component_spec.ExecutionParameter(type=str, optional=True),
        executor.CODE_FINGERPRINT_KEY: component_spec.ExecutionParameter(type=str),
        executor.CONFIGURATION_KEY: component_spec.ExecutionParameter(type=str, optional=True),
        executor.DESTINATION_KEY: component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar = {
        executor.EVALUATION_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation
        ),
        executor.EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        executor.MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.Model),
        executor.MODEL_RUN_KEY: component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
    }
    # A type of our own could not be compiled for Kubeflow: its name must import as it is.
    OUTPUTS: ClassVar = {
        executor.REPORT_KEY: component_spec.ChannelParameter(type=simple_artifacts.File)
    }


class EvaluationReport(base_component.BaseComponent):
    """Draws the verdict and its evidence; it decides nothing and nothing waits for it.

    Component `outputs` contains:
     - `report`: Channel of type `simple_artifacts.File`: `report.html`, which loads nothing
       from anywhere.
    """

    SPEC_CLASS = EvaluationReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        evaluation: types.BaseChannel,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        model_run: types.BaseChannel,
        code_fingerprint: str,
        images: str | data_types.RuntimeParameter = "",
        configuration_json: str = "",
        push_destination: str | data_types.RuntimeParameter = "",
    ):
        """Builds the component.

        Args:
            evaluation: DescriptorEvaluator's output.
            examples: ExampleGen's output, for the patches that are shown.
            model: The candidate, a SavedModel under `Format-Serving`.
            model_run: The trainer's logs and timeline.
            code_fingerprint: See `trainer.core.code_fingerprint`; of `templates_fingerprint`, too.
            images: Data folder, to draw matches on an image pair; "" draws none.
            configuration_json: The part of the run's configuration that neither examples,
                model nor evaluation carry, to be shown; its `name` names the report.
            push_destination: Where a blessed model goes, to be shown; "" is not shown.
        """
        super().__init__(
            spec=EvaluationReportSpec(
                evaluation=evaluation,
                examples=examples,
                model=model,
                model_run=model_run,
                report=types.Channel(type=simple_artifacts.File),
                images=images,
                code_fingerprint=code_fingerprint,
                configuration=configuration_json,
                push_destination=push_destination,
            )
        )


def templates_fingerprint() -> str:
    """Hashes the templates, which `trainer.core.code_fingerprint` does not look at."""
    digest = hashlib.sha256()
    folder = Path(str(resources.files("components.evaluation_report"))) / "templates"
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(folder)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]

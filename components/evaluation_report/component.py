"""EvaluationReport: one HTML file that shows what an evaluation found, and why."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import ClassVar

from tfx.dsl.components.base import executor_spec
from tfx.types import component_spec, standard_artifacts
from tfx.types.experimental import simple_artifacts

from components.core.component import OPTIONAL_TEXT, TEXT, Component, channel
from components.core.names import (
    CODE_FINGERPRINT_KEY,
    EVALUATION_KEY,
    EXAMPLES_KEY,
    MODEL_KEY,
    MODEL_RUN_KEY,
)
from components.evaluation_report import executor


class EvaluationReportSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of EvaluationReport."""

    PARAMETERS: ClassVar = {
        executor.IMAGES_KEY: OPTIONAL_TEXT,
        CODE_FINGERPRINT_KEY: TEXT,
        executor.CONFIGURATION_KEY: OPTIONAL_TEXT,
        executor.DESTINATION_KEY: OPTIONAL_TEXT,
    }
    INPUTS: ClassVar = {
        EVALUATION_KEY: channel(standard_artifacts.ModelEvaluation),
        EXAMPLES_KEY: channel(standard_artifacts.Examples),
        MODEL_KEY: channel(standard_artifacts.Model),
        MODEL_RUN_KEY: channel(standard_artifacts.ModelRun),
    }
    OUTPUTS: ClassVar = {executor.REPORT_KEY: channel(simple_artifacts.File)}


class EvaluationReport(Component):
    """Draws the verdict and its evidence; it decides nothing and nothing waits for it.

    Args:
        evaluation: DescriptorEvaluator's output.
        examples: ExampleGen's output, for the patches that are shown.
        model: The candidate, a SavedModel under `Format-Serving`.
        model_run: The trainer's logs and timeline.
        code_fingerprint: See `trainer.core.code_fingerprint`; of `templates_fingerprint`, too.
        images: Data folder, to draw matches on an image pair; without it none is drawn.
        configuration: The part of the run's configuration that neither examples, model nor
            evaluation carry, as JSON, to be shown; its `name` names the report.
        push_destination: Where a blessed model goes, to be shown.

    Component `outputs` contains:
     - `report`: Channel of type `simple_artifacts.File`: `report.html`, which loads nothing
       from anywhere.
    """

    SPEC_CLASS = EvaluationReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)


def templates_fingerprint() -> str:
    """Hashes the templates, which `trainer.core.code_fingerprint` does not look at."""
    digest = hashlib.sha256()
    folder = Path(str(resources.files("components.evaluation_report"))) / "templates"
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(folder)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]

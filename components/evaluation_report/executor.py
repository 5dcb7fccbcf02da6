"""Runs EvaluationReport: draws the page and never stops a run.

The verdict stands before the report is drawn, and the Pusher does not wait for it: whatever
goes wrong here is logged and said in the page, and the run goes on.
"""

from __future__ import annotations

import json
import logging
import posixpath
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.evaluation_report import page
from components.evaluation_report.material import Material
from trainer.core.errors import UserError

EVALUATION_KEY = "evaluation"
EXAMPLES_KEY = "examples"
MODEL_KEY = "model"
MODEL_RUN_KEY = "model_run"
REPORT_KEY = "report"
IMAGES_KEY = "images"
CODE_FINGERPRINT_KEY = "code_fingerprint"
CONFIGURATION_KEY = "configuration"
DESTINATION_KEY = "push_destination"
REPORT_FILE = "report.html"

_log = logging.getLogger(__name__)


class Executor(base_executor.BaseExecutor):
    """Writes `report.html`."""

    def Do(  # noqa: N802 - TFX names it
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Draws the report of one evaluation.

        Args:
            input_dict: `evaluation`, `examples`, `model` and `model_run`.
            output_dict: `report`.
            exec_properties: `images` (the data folder), `code_fingerprint`, `configuration`
                (JSON) and `push_destination`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        folder = artifact_utils.get_single_uri(output_dict[REPORT_KEY])
        configuration = _configuration(exec_properties)
        name = _name(configuration, self._context and self._context.pipeline_run_id)
        material = Material(
            evaluation=artifact_utils.get_single_uri(input_dict[EVALUATION_KEY]),
            examples=artifact_utils.get_single_uri(input_dict[EXAMPLES_KEY]),
            model=path_utils.serving_model_path(
                artifact_utils.get_single_uri(input_dict[MODEL_KEY])
            ),
            model_run=artifact_utils.get_single_uri(input_dict[MODEL_RUN_KEY]),
            images=exec_properties.get(IMAGES_KEY) or "",
            name=name,
            configuration=configuration,
        )
        try:
            text = page.draw(material)
        except UserError as error:
            _log.error("the report cannot be drawn: %s", error)
            text = page.failure(name, f"{error}.")
        except Exception as error:
            _log.exception("the report cannot be drawn")
            text = page.failure(name, f"{type(error).__name__}: {error}")
        try:
            page.write(text, posixpath.join(folder, REPORT_FILE))
        except Exception:  # a full disk, say: the model has been judged all the same
            _log.exception("the report cannot be written")


def _configuration(exec_properties: dict[str, Any]) -> dict[str, Any]:
    """Returns what the report shows of the run's configuration, the push destination with it."""
    given = exec_properties.get(CONFIGURATION_KEY)
    configuration: dict[str, Any] = json.loads(given) if given else {}
    destination = exec_properties.get(DESTINATION_KEY)
    return configuration | ({"push": {"destination": destination}} if destination else {})


def _name(configuration: dict[str, Any], run_id: str | None) -> str:
    """Names the run: the pipeline, and which of its runs, as far as that is known.

    Example:
        >>> _name({"name": "hpatches-demo"}, "2025-06-01T12:30:00")
        'hpatches-demo, run 2025-06-01T12:30:00'
    """
    parts = [configuration.get("name", ""), f"run {run_id}" if run_id else ""]
    return ", ".join(filter(None, parts))

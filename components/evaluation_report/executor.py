"""Runs EvaluationReport: draws the page and never stops a run.

The verdict stands before the report is drawn, and the Pusher does not wait for it: whatever
goes wrong here is logged and said in the page, and the run goes on.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from tfx.utils import path_utils

from components.core import executor
from components.core.names import EVALUATION_KEY, EXAMPLES_KEY, MODEL_KEY, MODEL_RUN_KEY
from components.evaluation_report import page
from components.evaluation_report.material import Material
from trainer.core.errors import UserError

REPORT_KEY = "report"
IMAGES_KEY = "images"
CONFIGURATION_KEY = "configuration"
DESTINATION_KEY = "push_destination"
REPORT_FILE = "report.html"

_log = logging.getLogger(__name__)


class Executor(executor.Executor):
    """Writes `report.html`."""

    def execute(self, execution: executor.Execution) -> None:
        """Draws the report of one evaluation."""
        configuration = _configuration(execution.properties)
        name = _name(configuration, self._context and self._context.pipeline_run_id)
        material = Material(
            evaluation=execution.input_uri(EVALUATION_KEY),
            examples=execution.input_uri(EXAMPLES_KEY),
            model=path_utils.serving_model_path(execution.input_uri(MODEL_KEY)),
            model_run=execution.input_uri(MODEL_RUN_KEY),
            images=execution.properties.get(IMAGES_KEY) or "",
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
            execution.write_text(REPORT_KEY, REPORT_FILE, text)
        except Exception:  # a full disk, say: the model has been judged all the same
            _log.exception("the report cannot be written")


def _configuration(properties: dict[str, Any]) -> dict[str, Any]:
    """Returns what the report shows of the run's configuration, the push destination with it."""
    given = properties.get(CONFIGURATION_KEY)
    configuration: dict[str, Any] = json.loads(given) if given else {}
    destination = properties.get(DESTINATION_KEY)
    return configuration | ({"push": {"destination": destination}} if destination else {})


def _name(configuration: dict[str, Any], run_id: str | None) -> str:
    """Names the run: the pipeline, and which of its runs, as far as that is known.

    Example:
        >>> _name({"name": "hpatches-demo"}, "2025-06-01T12:30:00")
        'hpatches-demo, run 2025-06-01T12:30:00'
    """
    parts = [configuration.get("name", ""), f"run {run_id}" if run_id else ""]
    return ", ".join(filter(None, parts))

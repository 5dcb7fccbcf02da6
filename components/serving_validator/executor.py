"""Tries the candidate in a clean process and blesses it if a model server could serve it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from absl import logging
from tfx.types import standard_component_specs
from tfx.utils import path_utils

from components.core import executor, files
from components.serving_validator import sample

FILE_NAME = "validation.json"
TOLERANCE = 1e-5
_PATCH_SEQUENCES = 4
_PROJECT_PACKAGES = ("pipeline", "components", "trainer")
_SCRIPT = Path(__file__).with_name("check_saved_model.py")
_STDERR_LINES = 5


class Executor(executor.Executor):
    """Runs `check_saved_model.py` on the candidate and writes an infra blessing."""

    def execute(self, execution: executor.Execution) -> None:
        """Fills the output `blessing` as TFX's InfraValidator does.

        Its folder holds `INFRA_BLESSED` or `INFRA_NOT_BLESSED` and `validation.json` with
        every check, the reasons of a refusal and the measured latency.
        """
        model = execution.input(standard_component_specs.MODEL_KEY)
        result = validate(
            path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)),
            execution.input_uri(standard_component_specs.EXAMPLES_KEY) or None,
            timeout_seconds=execution.properties["timeout_seconds"],
        )
        execution.write_json(standard_component_specs.BLESSING_KEY, FILE_NAME, result)
        for reason in result["reasons"]:
            logging.warning("Not servable: %s", reason)
        # File names and property of TFX's InfraValidator, which the stock Pusher understands.
        name = "INFRA_BLESSED" if result["blessed"] else "INFRA_NOT_BLESSED"
        execution.write_text(standard_component_specs.BLESSING_KEY, name, "")
        blessing = execution.output(standard_component_specs.BLESSING_KEY)
        blessing.set_int_custom_property("blessed", int(result["blessed"]))


def validate(saved_model: str, examples_uri: str | None, timeout_seconds: float) -> dict[str, Any]:
    """Tries a SavedModel in a clean process.

    Args:
        saved_model: SavedModel folder; local or remote.
        examples_uri: ExampleGen's output, or None to try the model on noise.
        timeout_seconds: For loading and all checks together.

    Returns:
        `blessed`, `reasons` (empty when blessed), `checks`, `warnings`, `latency`
        (milliseconds per patch) and `identity`. A crash or a timeout of the process is a
        reason like any other.
    """
    with tempfile.TemporaryDirectory(prefix="serving-validator-") as folder:
        sample.write(examples_uri, folder, _PATCH_SEQUENCES)
        request = {
            "model": files.normalise(saved_model),
            "patches": str(Path(folder, sample.PATCHES_FILE)),
            "records": str(Path(folder, sample.RECORDS_FILE)),
            "blocked": _PROJECT_PACKAGES,
            "tolerance": TOLERANCE,
        }
        Path(folder, "request.json").write_text(json.dumps(request), encoding="utf-8")
        failure = _run(folder, timeout_seconds)
        written = Path(folder, "result.json")
        result: dict[str, Any] = {"checks": [], "warnings": [], "latency": {}, "identity": None}
        if not failure:
            result = json.loads(written.read_text(encoding="utf-8"))
    reasons = [f"{c['name']}: {c['detail']}" for c in result["checks"] if not c["passed"]]
    if failure:
        reasons.append(failure)
    return {"blessed": not reasons, "reasons": reasons, **result}


def _run(folder: str, timeout_seconds: float) -> str:
    """Runs the script in `folder`; returns why it gave no result, or ""."""
    # -I: neither PYTHONPATH nor the current folder reach sys.path. No accelerator: the
    # parent process may hold all of its memory, and its rounding differs between batches.
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-I", str(_SCRIPT.resolve()), "request.json", "result.json"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            timeout=timeout_seconds,
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return f"loading and trying the model took more than {timeout_seconds:g} seconds"
    if done.returncode != 0 or not Path(folder, "result.json").exists():
        last = " | ".join(done.stderr.strip().splitlines()[-_STDERR_LINES:])
        return f"the process that tried the model ended with code {done.returncode}: {last}"
    return ""

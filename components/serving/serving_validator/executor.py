"""Tries the candidate in a clean process and blesses it if a model server could serve it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from absl import logging
from tfx.types import standard_component_specs
from tfx.utils import path_utils

from components.core import executor, files
from components.serving.serving_validator import sample
from trainer.core.documents import read_json
from trainer.core.files import walk
from trainer.data import stale_dirs

FILE_NAME = "validation.json"
TOLERANCE = 1e-5
_PATCH_SEQUENCES = 4
_PROJECT_PACKAGES = ("pipeline", "components", "trainer")
_SCRIPT = Path(__file__).with_name("check_saved_model.py")
_STDERR_LINES = 5
_TEMPORARY = "serving-validator-"
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_KEPT_BEGINNINGS = ("TF_", "ONEDNN_", "OMP_")  # they change how TensorFlow rounds


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
    with stale_dirs.temporary(_TEMPORARY) as folder:
        sample.write(examples_uri, folder, _PATCH_SEQUENCES)
        request = {
            "model": _local(saved_model, folder),
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
            result = read_json(written.read_text(encoding="utf-8"))
    reasons = [f"{c['name']}: {c['detail']}" for c in result["checks"] if not c["passed"]]
    if failure:
        reasons.append(failure)
    return {"blessed": not reasons, "reasons": reasons, **result}


def _local(saved_model: str, folder: str) -> str:
    """Returns the model's folder; of a remote one that of a copy, for which no key is needed."""
    if not files.is_remote(saved_model):
        return files.normalise(saved_model)
    root = saved_model.rstrip("/")
    for path in walk(root):
        files.write_bytes(f"{folder}/model{path[len(root) :]}", files.read_bytes(path))
    return f"{folder}/model"


def _environment(folder: str) -> dict[str, str]:
    """Returns the variables that TensorFlow may need, without anybody's keys and tokens."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_BEGINNINGS)
    }
    # No accelerator: the parent process may hold all of its memory, and its rounding differs
    # between batches.
    return {
        **kept,
        "HOME": folder,
        "TMPDIR": folder,
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def _run(folder: str, timeout_seconds: float) -> str:
    """Runs the script in `folder`; returns why it gave no result, or ""."""
    # -I: neither PYTHONPATH nor the current folder reach sys.path.
    command = [sys.executable, "-I", str(_SCRIPT.resolve()), "request.json", "result.json"]
    # The process ends when its standard input does, as when this one is killed.
    read, write = os.pipe()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(folder),
            timeout=timeout_seconds,
            stdin=read,
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return f"loading and trying the model took more than {timeout_seconds:g} seconds"
    finally:
        os.close(read)
        os.close(write)
    if done.returncode != 0 or not Path(folder, "result.json").exists():
        last = " | ".join(done.stderr.strip().splitlines()[-_STDERR_LINES:])
        return f"the process that tried the model ended with code {done.returncode}: {last}"
    return ""

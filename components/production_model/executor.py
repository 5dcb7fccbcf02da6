"""Freezes the model in production as an artifact of this run."""

from __future__ import annotations

import json
import posixpath
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.production_model import served_model
from trainer.core.errors import UserError

FILE_NAME = "production.json"


class Executor(base_executor.BaseExecutor):
    """Copies the newest pushed model, or writes that there is none yet."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fills the output `model`.

        Its custom properties are `exists` (0 or 1), `checksum`, `version` and `model_path`
        (where it is served from); the folder holds `production.json` with the same and, when
        there is one, a copy of the SavedModel under `Format-Serving`. The copy stays what it
        is even if production is rolled back while this run evaluates against it.

        Args:
            input_dict: Nothing.
            output_dict: `model`, a `standard_artifacts.Model`.
            exec_properties: `push_destination`; `production_checksum`: what the runner saw
                there (see `served_model.current_checksum`), or "" to take what is there.

        Raises:
            UserError: When production has changed since the runner looked, because the
                result would be cached under the wrong key.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(output_dict["model"])
        destination = exec_properties["push_destination"]
        expected = exec_properties.get("production_checksum") or ""
        production = served_model.find(destination)
        found = production.checksum if production else served_model.NO_PRODUCTION
        if expected and expected != found:
            _refuse_change(destination, expected, found)
        if production:
            frozen = path_utils.serving_model_path(artifact.uri)
            served_model.copy(production.path, frozen)
            copied = served_model.checksum(frozen)
            if copied != found:
                _refuse_change(destination, found, copied)
        _describe(artifact, destination, production)


def _refuse_change(destination: str, expected: str, found: str) -> None:
    raise UserError(
        f"{destination}: the model in production changed while this run was starting "
        f"(checksum {expected[:12]} expected, {found[:12]} found); run again"
    )


def _describe(
    artifact: types.Artifact, destination: str, production: served_model.ServedModel | None
) -> None:
    version = production.version if production else 0
    path = production.path if production else ""
    checksum = production.checksum if production else ""
    artifact.set_int_custom_property("exists", int(production is not None))
    artifact.set_int_custom_property("version", version)
    artifact.set_string_custom_property("checksum", checksum)
    artifact.set_string_custom_property("model_path", path)
    description = {
        "exists": production is not None,
        "push_destination": destination,
        "version": version if production else None,
        "model_path": path or None,
        "checksum": checksum or None,
    }
    tf.io.gfile.makedirs(artifact.uri)
    with tf.io.gfile.GFile(posixpath.join(artifact.uri, FILE_NAME), "w") as file:
        file.write(json.dumps(description, indent=1))

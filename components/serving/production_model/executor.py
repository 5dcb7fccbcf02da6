"""Freezes the model in production as an artifact of this run."""

from __future__ import annotations

from tfx import types
from tfx.utils import path_utils

from components.core import executor, files
from components.serving.production_model import served_model
from trainer.core.errors import UserError

FILE_NAME = "production.json"


class Executor(executor.Executor):
    """Copies the newest pushed model, or writes that there is none yet."""

    def execute(self, execution: executor.Execution) -> None:
        """Fills the output `model`.

        Its custom properties are `exists` (0 or 1), `checksum`, `version` and `model_path`
        (where it is served from); the folder holds `production.json` with the same and, when
        there is one, a copy of the SavedModel under `Format-Serving`. The copy stays what it
        is even if production is rolled back while this run evaluates against it.

        Raises:
            UserError: When production has changed since the runner looked, because the
                result would be cached under the wrong key.
        """
        artifact = execution.output("model")
        destination = execution.properties["push_destination"]
        expected = execution.properties.get("production_checksum") or ""
        production = served_model.find(destination)
        checksum = production.checksum if production else served_model.NO_PRODUCTION
        if expected and expected != checksum:
            _refuse_change(destination, expected, checksum)
        if production:
            frozen = path_utils.serving_model_path(artifact.uri)
            served_model.copy(production.path, frozen)
            copied = served_model.checksum(frozen)
            if copied != checksum:
                _refuse_change(destination, checksum, copied)
        _describe(artifact, destination, production)


def _refuse_change(destination: str, expected: str, actual: str) -> None:
    raise UserError(
        f"{destination}: the model in production changed while this run was starting "
        f"(checksum {expected[:12]} expected, {actual[:12]} found); run again"
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
    files.write_json(files.join(artifact.uri, FILE_NAME), description)

"""Which run is which: what its result depends on, and the hash that names its checkpoints."""

from __future__ import annotations

import hashlib
import json
import posixpath
from typing import Any

import tensorflow as tf
from pydantic import ValidationError

from trainer.core import code_fingerprint
from trainer.core.config import TrainerConfig
from trainer.core.files import write_text
from trainer.core.settings import Settings
from trainer.data.manifest import Manifest
from trainer.model import export

FILE_NAME = "run.json"
# Where a run is saved and what is shown of it: the weights at its end do not depend on these.
_WITHOUT_EFFECT = ("checkpoint_every",)


class RunIdentity(Settings):
    """What the result of a run depends on.

    Attributes:
        data: Checksum of the examples and of the transform graph.
        configuration: The settings that change the result.
        code: Fingerprint of the trainer's source and TensorFlow's version.
        warm_start: Checksum of the model it starts from; empty for a fresh start.
    """

    data: str
    configuration: dict[str, Any]
    code: str
    warm_start: str

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits: of equal runs the same."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def differences(self, other: RunIdentity) -> str:
        """Says in words what sets two runs apart; nothing when nothing does."""
        parts = []
        if self.data != other.data:
            parts.append("the data")
        keys = sorted(_flat(self.configuration).items() ^ _flat(other.configuration).items())
        if keys:
            parts.append("the configuration (" + ", ".join(sorted({key for key, _ in keys})) + ")")
        if self.code != other.code:
            parts.append("the trainer's code")
        if self.warm_start != other.warm_start:
            parts.append("the model of the warm start")
        return " and ".join(parts)


def identify(
    config: TrainerConfig,
    examples: Manifest,
    transform_graph: str | None,
    warm_start: str | None,
) -> RunIdentity:
    """Returns the identity of a run.

    Args:
        config: Settings of the run, as given (`stages: auto` unresolved).
        examples: Manifest of the data.
        transform_graph: Output of Transform, or None.
        warm_start: SavedModel it starts from, or None.
    """
    configuration = json.loads(config.model_dump_json())
    for key in _WITHOUT_EFFECT:
        configuration.pop(key, None)
    graph = export.model_checksum(transform_graph) if transform_graph else ""
    return RunIdentity(
        data=f"{examples.checksum}{graph}",
        configuration=configuration,
        code=f"{code_fingerprint.fingerprint('trainer')} TensorFlow {tf.__version__}",
        warm_start=export.model_checksum(warm_start) if warm_start else "",
    )


def write(identity: RunIdentity, folder: str) -> None:
    """Writes `run.json` into a folder, whole or not at all."""
    write_text(posixpath.join(folder, FILE_NAME), identity.model_dump_json(indent=1))


def read(folder: str) -> RunIdentity | None:
    """Returns the identity of the run that a folder is of, or None when it does not say."""
    path = posixpath.join(folder, FILE_NAME)
    if not tf.io.gfile.exists(path):
        return None
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return RunIdentity.model_validate_json(file.read())
    except (ValidationError, tf.errors.OpError):
        return None  # of another version, perhaps: certainly another run


def _flat(settings: Any, prefix: str = "") -> dict[str, str]:
    """Returns settings by dotted key, e.g. `stages.0.learning_rate`, as text."""
    if isinstance(settings, list):
        settings = dict(enumerate(settings))
    if not isinstance(settings, dict) or not settings:
        return {prefix: json.dumps(settings)}
    flat: dict[str, str] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return flat

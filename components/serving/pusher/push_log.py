"""The history of a push destination: one JSON line per push and per rollback.

It lies beside the destination, not inside: the model server scans the inside.
"""

from __future__ import annotations

import logging
import posixpath
import uuid
from datetime import datetime, timezone
from typing import Literal

from pydantic import Field, ValidationError

from components.core import files
from components.serving.production_model import served_model
from trainer.core.errors import UserError
from trainer.core.settings import Settings

_log = logging.getLogger(__name__)


class PushEntry(Settings):
    """One line of the log.

    Attributes:
        action: `push` or `rollback`.
        version: The version that was made.
        checksum: sha256 of the SavedModel.
        from_version: For a rollback, the version that is served again.
        replaced_version: The version that was in production before.
        pushed_by: Folder of the execution's output; tells an execution that is tried again.
        time: When, in UTC.
    """

    action: Literal["push", "rollback"]
    version: int
    checksum: str
    from_version: int | None = None
    replaced_version: int | None = None
    pushed_by: str | None = None
    time: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))


def log_path(destination: str) -> str:
    """Returns where the log of a destination is.

    Example:
        >>> log_path("/models/descriptor")
        '/models/descriptor.pushes.jsonl'
        >>> log_path("gs://bucket/")
        'gs://bucket/pushes.jsonl'
    """
    trimmed = destination.rstrip("/")
    scheme, separator, rest = trimmed.partition("://")
    if separator and "/" not in rest:  # a whole bucket has nothing beside it
        return posixpath.join(f"{scheme}://{rest}", "pushes.jsonl")
    return f"{trimmed}.pushes.jsonl"


def append(destination: str, entry: PushEntry) -> None:
    """Adds a line.

    The model is already served by then, so a log that cannot be written is a warning and
    no failure.
    """
    try:
        files.append_text(log_path(destination), entry.model_dump_json() + "\n")
    except UserError as error:
        _log.warning("the push could not be noted: %s", error)


def read(destination: str) -> list[PushEntry]:
    """Returns the entries, oldest first; a line that was cut short or damaged is passed over.

    Local logs are read without TensorFlow.
    """
    path = log_path(destination)
    if not files.exists(path):
        return []
    entries = []
    for line in files.read_bytes(path).splitlines():
        try:
            entries.append(PushEntry.model_validate_json(line))
        except ValidationError:
            _log.warning("%s: passing over a line that is no log entry", path)
    return entries


def origin(destination: str, version: int) -> int:
    """Returns the version that was pushed for what stands at `version`, through rollbacks."""
    came_from = {entry.version: entry.from_version for entry in read(destination)}
    while (earlier := came_from.get(version)) is not None and earlier < version:
        version = earlier
    return version


def is_unfinished(destination: str, version: int, pushed_by: str) -> bool:
    """Tells whether a push was killed before it was told of: nobody or this execution noted it."""
    noted = [entry for entry in read(destination) if entry.version == version]
    return not noted or noted[-1].pushed_by == pushed_by


def destination_state(destination: str) -> str:
    """Returns a text that differs whenever a push or rollback happened or a model vanished.

    As part of a cache key it keeps a cached verdict from standing for a comparison with a model
    that was since rolled back or deleted.
    """
    production = served_model.find(destination)
    served = f"{production.version}:{production.checksum}" if production else "none"
    return f"{served}:{len(read(destination))}"


def pusher_state(destination: str) -> str:
    """Returns `destination_state`, but a text of its own each time that nothing is served.

    When a destination and its log are deleted, it looks as it did before the first push: a
    cached "pushed" of that time must not stand for a model that is not there.
    """
    state = destination_state(destination)
    return state if served_model.find(destination) else f"{state}:{uuid.uuid4().hex}"

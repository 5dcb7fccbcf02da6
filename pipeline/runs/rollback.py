"""Serves an earlier model again."""

from __future__ import annotations

from components.serving.production_model import served_model
from components.serving.pusher import destination as push_destinations
from components.serving.pusher import push_log
from trainer.core.errors import UserError


def rollback(destination: str, version: int) -> int:
    """Copies an earlier version to a new newest one, which the model server loads; returns that.

    Model servers and this project take the newest version for production, so going back
    means a new number with the old content; nothing is deleted. The step is noted in the
    push log beside the destination (`components.serving.pusher.push_log`).

    Args:
        destination: The push destination; local or `gs://`.
        version: One of the versions there.

    Raises:
        UserError: When there is no such version, when it is the one in production already
            (by number or by content), or when the destination cannot be written.
    """
    # Late imports: they load TensorFlow, and the command line must start without it.

    available = served_model.versions(destination)
    if not available:
        raise UserError(
            f"{destination}: no model has been pushed there, so there is none to go back to; "
            f"run the pipeline until a model is blessed, or name another push destination"
        )
    if version not in available:
        listed = ", ".join(str(v) for v in available)
        raise UserError(
            f"{destination}: there is no version {version}; expected one of {listed} "
            f"(the last is in production)"
        )
    production = served_model.load_version(destination, available[-1])
    wanted = served_model.load_version(destination, version)
    if wanted.checksum == production.checksum:
        name = "" if version == production.version else f" (as version {production.version})"
        raise UserError(
            f"{destination}: version {version} is in production already{name}; nothing was changed"
        )
    served = push_destinations.place(wanted.path, destination)
    push_log.append(
        destination,
        push_log.PushEntry(
            action="rollback",
            version=served.version,
            checksum=served.checksum,
            from_version=version,
            replaced_version=production.version,
        ),
    )
    return served.version

"""Which models were pushed before, so that many small losses do not add up unseen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.serving.pusher.push_log import PushEntry


def pushed_models(entries: Sequence[PushEntry]) -> dict[str, int]:
    """Lists the models that were pushed and that nobody took back.

    A rollback takes the model out of service that it replaces: somebody decided against
    it, so later models are not held to it (unless it is pushed again).

    Args:
        entries: The log of a push destination, oldest first.

    Returns:
        Newest version by the model's checksum.
    """
    versions: dict[str, int] = {}
    checksum_of: dict[int, str] = {}
    for entry in entries:
        checksum_of[entry.version] = entry.checksum
        if entry.action == "rollback" and entry.replaced_version is not None:
            versions.pop(checksum_of.get(entry.replaced_version, ""), None)
        versions[entry.checksum] = entry.version
    return versions

"""Keys that older configurations have, and what they are called now."""

from __future__ import annotations

from collections.abc import Sequence

RENAMED = {
    "data.source": "format",
    "training.stages.sequences_per_batch": "points_per_batch",
    "training.stages.variants_per_sequence": "patches_per_point",
}
"""Old key path, without places in lists -> new name."""


def new_name(location: Sequence[str | int]) -> str | None:
    """Returns what a key of an older version is called now; None for any other key.

    Example:
        >>> new_name(("data", "source"))
        'data.format'
    """
    names = [str(part) for part in location if not str(part).isdecimal()]
    return RENAMED.get(".".join(names))

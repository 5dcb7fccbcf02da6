"""Everything that was decided in a run, in `timeline.json` and on TensorBoard.

Healthy observations, of which there can be tens of thousands, are the exception: of those in
a row the first one is an event (`good`). A row ends with a stage, signs of a collapse, or a
rollback.
"""

from __future__ import annotations

import json
import math
import posixpath
from typing import Any

import tensorflow as tf

from trainer.core.files import write_text, writing

FILE_NAME = "timeline.json"


class Timeline:
    """The list of events of a run; the file is whole after each of them.

    Args:
        folder: Where `timeline.json` goes.
        writer: TensorBoard's.

    Attributes:
        events: All so far; a run that goes on from a checkpoint puts its events here.
    """

    def __init__(self, folder: str, writer: tf.summary.SummaryWriter) -> None:
        self.path = posixpath.join(folder, FILE_NAME)
        self.events: list[dict[str, Any]] = []
        self._writer = writer

    def add(self, event: str, step: int, stage: int, reason: str, **values: Any) -> None:
        """Records an event.

        Args:
            event: What happened, e.g. `promote`.
            step: Steps of the run so far.
            stage: From 0.
            reason: Why, in words.
            values: Numbers and names it rests on.
        """
        known = {name: _without_nan(value) for name, value in values.items()}
        entry = {"event": event, "step": step, "stage": stage, "reason": reason, **known}
        self.events.append(entry)
        write_text(self.path, json.dumps(self.events, indent=1))
        with writing(self.path), self._writer.as_default():
            tf.summary.text(f"events/{event}", json.dumps(entry), step=step)

    def last_of(self, *events: str) -> str | None:
        """Returns which of some events happened last; None when none of them has."""
        named = (entry["event"] for entry in reversed(self.events) if entry["event"] in events)
        return next(named, None)


def _without_nan(value: Any) -> Any:
    """Returns None for NaN and infinity, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value

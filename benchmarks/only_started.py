"""Executors that end where the work of those they extend begins: for `benchmarks.start_up`."""

from __future__ import annotations

from typing import Any

from components.descriptor_evaluator import executor as evaluator
from components.descriptor_trainer import executor as trainer


class Trainer(trainer.Executor):
    """The trainer's, all of whose modules are loaded."""

    def Do(self, *_: Any) -> None:  # noqa: N802 (TFX's name)
        """Ends."""


class Evaluator(evaluator.Executor):
    """The evaluator's, the same."""

    def Do(self, *_: Any) -> None:  # noqa: N802 (TFX's name)
        """Ends."""

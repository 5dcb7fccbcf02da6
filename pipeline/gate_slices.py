"""Finds thresholds of the gate on parts of the data that the data does not have.

Such a threshold has nothing to look at and so refuses every model, however good. That is
told before the training, not after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from components.descriptor_evaluator.protocol.scores import POOL, TIE_SAFE
from components.descriptor_evaluator.settings import (
    BaselineSlice,
    EvaluationSettings,
    Floor,
    GuardedSlice,
)
from trainer.core.errors import UserError
from trainer.core.variants import KIND_NAMES, TARGETS


def check(evaluation: EvaluationSettings, kinds: Collection[str], points: int | None) -> None:
    """Refuses thresholds on kinds and pool sizes that the held-out data cannot have.

    How many `points` it has at most may be unknown.

    Raises:
        UserError: With the key of the threshold.
    """
    for key, kind in _guarded_kinds(evaluation):
        if kind not in kinds:
            raise UserError(
                f"evaluation.gate.{key}.kind: asks for {KIND_NAMES[kind]} ({kind}_ sequences), of "
                f"which the split holds out none, expected a kind that it does; change the split "
                f"(data.split) or leave the threshold out"
            )
    if points is None or evaluation.official_tasks is not None:
        return
    drawing = evaluation.drawing
    most = min(drawing.max_distractors, int(drawing.distractors_per_point * points))
    for place, floor in enumerate(evaluation.gate.floors):
        plain = (floor.metric or "").removesuffix(TIE_SAFE)
        if plain.startswith(POOL) and int(plain.removeprefix(POOL)) > TARGETS + most:
            raise UserError(
                f"evaluation.gate.floors.{place}.metric: asks for {floor.metric}, but pools drawn "
                f"from the {points} points held out at most have {TARGETS + most} "
                f"patches, expected a smaller pool; lower it or hold out more data"
            )


def _guarded_kinds(evaluation: EvaluationSettings) -> Iterator[tuple[str, str]]:
    """Yields the key and the kind of every threshold on a kind."""
    gate = evaluation.gate
    lists: dict[str, Sequence[Floor | GuardedSlice | BaselineSlice]] = {
        "floors": gate.floors,
        "production.slices": gate.production.slices,
    }
    if gate.baseline is not None:
        lists["baseline.slices"] = gate.baseline.slices
    for key, parts in lists.items():
        for place, part in enumerate(parts):
            if part.kind is not None:
                yield f"{key}.{place}", part.kind

"""Two descriptors scored on the same units, compared slice by slice.

Differences are paired over scenes (`intervals`), as in the gate. A slice is called better or
worse when its two-sided p-value, after Holm's correction over all slices of the table, is
below the level; with fewer scenes than `BOOTSTRAP_SCENES` nothing is called so.

Precisions count ties against the descriptor, as in the gate: the reference's own would give a
collapsed model, whose distances are all equal, a perfect retrieval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from components.core.names import MATCHING
from components.descriptor_evaluator.protocol.scores import SAFE_METRIC, Slice, UnitScore
from components.descriptor_evaluator.statistics.intervals import (
    BOOTSTRAP_SCENES,
    CONFIDENCE,
    holm,
    paired_difference,
)
from components.descriptor_evaluator.statistics.mean_intervals import number, slices_of
from components.descriptor_evaluator.statistics.score_table import ScoreTable
from trainer.core.errors import UserError

Finding = Literal["better", "worse", "no difference shown", "too few scenes", "not finite"]


@dataclass(frozen=True)
class ComparedSlice:
    """One line of a comparison; fractions, NaN where a descriptor is nowhere finite.

    Attributes:
        slice: Task, noise level and kind; empty: all of them.
        first: Mean of the first descriptor.
        second: Mean of the second one.
        difference: First - second.
        low: Lower end of its 95 % interval, NaN where there is none.
        high: Upper end.
        p: Two-sided p-value after Holm, NaN where nothing was tested.
        scenes: Independent scenes.
        finding: Conclusion on the first one; `not finite` when a mean is NaN.
    """

    slice: Slice
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    scenes: int
    finding: Finding


@dataclass(frozen=True)
class ChangedSequence:
    """Matching mAP of one image sequence, by both descriptors."""

    sequence: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """First - second."""
        return self.first - self.second


@dataclass(frozen=True)
class Comparison:
    """All of it.

    Attributes:
        slices: Per task: all noise levels, each one, and by kind where there are both.
        sequences: Image sequences by falling difference of their matching mAP; those where
            it is NaN come last.
        summary: One sentence.
        problems: Sentences on how the first and the second descriptor are degenerate.
        notes: Remarks on the tasks and on what was scored, in sentences.
    """

    slices: tuple[ComparedSlice, ...]
    sequences: tuple[ChangedSequence, ...]
    summary: str
    problems: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Returns it for programs; None in the place of NaN."""
        return {
            "summary": self.summary,
            "metric": SAFE_METRIC,
            "problems": {
                "first": list(self.problems[0]),
                "second": list(self.problems[1]),
            },
            "notes": list(self.notes),
            "slices": [
                {
                    "task": item.slice.task,
                    "noise": item.slice.noise,
                    "kind": item.slice.kind,
                    **{key: number(getattr(item, key)) for key in _NUMBERS},
                    "scenes": item.scenes,
                    "finding": item.finding,
                }
                for item in self.slices
            ],
            "sequences": [
                {
                    "sequence": item.sequence,
                    "first": number(item.first),
                    "second": number(item.second),
                }
                for item in self.sequences
            ],
        }


_NUMBERS = ("first", "second", "difference", "low", "high", "p")


def compare(
    first: Sequence[UnitScore],
    second: Sequence[UnitScore],
    names: tuple[str, str] = ("the first", "the second"),
    *,
    problems: tuple[Sequence[str], Sequence[str]] = ((), ()),
    notes: Sequence[str] = (),
) -> Comparison:
    """Compares the rows of two descriptors.

    Args:
        first: Rows of one.
        second: Rows of the other, of the same units.
        names: Their names in the summary.
        problems: Results of `degeneracy.problems` for each.
        notes: Remarks to hand on; one that is given twice is kept once.

    Raises:
        UserError: When they were not scored on the same units, or one holds a unit twice.
    """
    left, right = _table(first, names[0]), _table(second, names[1])
    if not left.covers_the_same_units_as(right):
        raise UserError(
            "the two results are of different units (other data, tasks or settings), expected "
            "the same; score both on the same data with --data"
        )
    parts = slices_of(left)
    differences = [_difference(left, right, part) for part in parts]
    slices = _found(parts, left, right, differences)
    return Comparison(
        slices,
        _sequences(left, right),
        _summary(slices, names),
        (tuple(problems[0]), tuple(problems[1])),
        tuple(dict.fromkeys(notes)),
    )


def _table(rows: Sequence[UnitScore], name: str) -> ScoreTable:
    try:
        return ScoreTable(rows)
    except ValueError as error:
        raise UserError(
            f"{name}: {error}, expected every unit once; evaluate again with tasks that ask "
            f"nothing twice"
        ) from error


def _difference(
    left: ScoreTable, right: ScoreTable, part: Slice
) -> tuple[float, float, float, int]:
    """Returns (low, high, two-sided p, scenes) of a slice's difference."""
    ours, theirs = left.totals(part, SAFE_METRIC), right.totals(part, SAFE_METRIC)
    if len(ours.scenes) < 2 or ours.scenes != theirs.scenes:
        return math.nan, math.nan, math.nan, len(ours.scenes)
    paired = paired_difference(ours, theirs)
    two_sided = min(1.0, 2 * min(paired.p_worse, paired.p_better))
    return paired.low, paired.high, two_sided, paired.scenes


def _found(
    parts: Sequence[Slice],
    left: ScoreTable,
    right: ScoreTable,
    differences: Sequence[tuple[float, float, float, int]],
) -> tuple[ComparedSlice, ...]:
    """Adds the means, and what can be said after the correction for many slices."""
    tested = [
        place
        for place, (_, _, p, scenes) in enumerate(differences)
        if scenes >= BOOTSTRAP_SCENES and math.isfinite(p)
    ]
    adjusted = dict(zip(tested, holm([differences[place][2] for place in tested]), strict=True))
    slices = []
    for place, (part, (low, high, _, scenes)) in enumerate(zip(parts, differences, strict=True)):
        ours, theirs = left.mean(part, SAFE_METRIC), right.mean(part, SAFE_METRIC)
        p = float(adjusted.get(place, math.nan))
        finding: Finding = "too few scenes" if place not in adjusted else "no difference shown"
        if p < 1 - CONFIDENCE:
            finding = "better" if ours > theirs else "worse"
        if not math.isfinite(ours - theirs):
            finding = "not finite"
        slices.append(
            ComparedSlice(part, ours, theirs, ours - theirs, low, high, p, scenes, finding)
        )
    return tuple(slices)


def _sequences(left: ScoreTable, right: ScoreTable) -> tuple[ChangedSequence, ...]:
    by_sequence: dict[str, list[list[float]]] = {}
    for side, table in enumerate((left, right)):
        for row in table.rows:
            if row.task == MATCHING:
                sides = by_sequence.setdefault(row.sequence, [[], []])
                sides[side].append(row.metrics.get(SAFE_METRIC, math.nan))
    changes = [
        ChangedSequence(name, float(np.mean(ours)), float(np.mean(theirs)))
        for name, (ours, theirs) in by_sequence.items()
    ]

    def order(item: ChangedSequence) -> tuple[bool, float, str]:
        known = math.isfinite(item.difference)  # NaN would leave all of them in any order
        return not known, -item.difference if known else 0.0, item.sequence

    return tuple(sorted(changes, key=order))


def _summary(slices: Sequence[ComparedSlice], names: tuple[str, str]) -> str:
    """Says what the slices over all noise levels and kinds show."""
    said = []
    for item in slices:
        if item.slice.noise or item.slice.kind:
            continue
        if item.finding == "not finite":
            said.append(f"{item.slice.task} mAP is not finite")
            continue
        side = "below" if item.difference < 0 else "above"
        interval = ""
        if math.isfinite(item.low):
            interval = f" ({100 * item.low:+.1f} .. {100 * item.high:+.1f})"
        told = {"better": ", significantly", "worse": ", significantly"}.get(item.finding, "")
        said.append(
            f"{item.slice.task} mAP {100 * abs(item.difference):.1f} {side}{interval}{told}"
        )
    return f"{names[0]} against {names[1]}: {'; '.join(said) or 'nothing in common'}."

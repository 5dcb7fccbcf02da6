"""Means of one descriptor with their intervals over scenes, slice by slice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from components.core.names import TASK_NAMES
from components.descriptor_evaluator.protocol.scores import MAIN_METRIC, SAFE_METRIC, Slice
from components.descriptor_evaluator.statistics.intervals import mean_interval
from components.descriptor_evaluator.statistics.score_table import ScoreTable
from trainer.core.variants import ILLUMINATION, NOISES, VIEWPOINT

_KINDS = ("", ILLUMINATION, VIEWPOINT)


def slices_of(table: ScoreTable) -> list[Slice]:
    """Returns the slices that have rows: all levels, each level, and by kind."""
    tasks = [name for name in TASK_NAMES if len(table.values(Slice(name), SAFE_METRIC))]
    slices = []
    for task in tasks:
        kinds = [kind for kind in _KINDS if len(table.values(Slice(task, "", kind), SAFE_METRIC))]
        if len(kinds) < len(_KINDS):  # one kind alone is all there is
            kinds = [""]
        slices += [Slice(task, noise, kind) for kind in kinds for noise in ("", *NOISES)]
    return slices


def mean_intervals(table: ScoreTable) -> list[dict[str, Any]]:
    """Returns the mAP of each slice with its 95 % interval over scenes, for JSON.

    Args:
        table: Scores of all units.

    Returns:
        `task`, `noise` and `kind` (empty: all), `mean`, `low`, `high` (fractions; None where
        there is none, as with a single scene) and `scenes` of each slice.
    """
    intervals = []
    for part in slices_of(table):
        interval = mean_interval(table.totals(part, MAIN_METRIC))
        low, high = np.clip([interval.low, interval.high], 0.0, 1.0).tolist()  # keeps NaN
        intervals.append(
            {
                "task": part.task,
                "noise": part.noise,
                "kind": part.kind,
                "mean": number(table.mean(part, MAIN_METRIC)),
                "low": number(low),
                "high": number(high),
                "scenes": interval.scenes,
            }
        )
    return intervals


def number(value: float) -> float | None:
    """Returns a number for JSON, None for what is not finite."""
    return float(value) if math.isfinite(value) else None

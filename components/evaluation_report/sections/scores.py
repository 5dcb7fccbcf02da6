"""The table of results: tasks and noise levels, with intervals, beside production and baselines."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from components.descriptor_evaluator.gate.messages import METRIC_NAMES, percent, scenes
from components.descriptor_evaluator.gate.verdict import Change, TableRow
from components.evaluation_report import figures
from components.evaluation_report.material import CANDIDATE, PRODUCTION, Material, NotShownError
from trainer.core.variants import NOISE_NAMES


def section(material: Material) -> dict[str, Any]:
    """Returns `tables`, one per task, `legend`, and what there is to explain above them.

    Raises:
        NotShownError: When nothing was measured.
        UserError: When there is no verdict.
    """
    rows = material.verdict.table
    if not rows:
        raise NotShownError("the model was not scored")
    baselines = list(dict.fromkeys(name for row in rows for name in row.baselines))
    compared = any(not math.isnan(row.production) for row in rows)
    names = [CANDIDATE, *([PRODUCTION] if compared else []), *baselines]
    tables = [
        {
            "task": task,
            "metric": METRIC_NAMES.get(metric, metric),
            "rows": [_row(row, names) for row in group],
        }
        for (task, metric), group in itertools.groupby(rows, key=lambda r: (r.task, r.metric))
    ]
    return {
        "over": any(row.over_baselines for row in rows),
        "tables": tables,
        "legend": list(figures.looks(names).values()),
        "compared": compared,
        "scenes": scenes(rows),
    }


def _row(row: TableRow, names: Sequence[str]) -> dict[str, Any]:
    values = {CANDIDATE: row.candidate, PRODUCTION: row.production, **row.baselines}
    others = [values.get(name, math.nan) for name in names[1:]]
    return {
        "noise": NOISE_NAMES.get(row.noise, row.noise),
        "candidate": percent(row.candidate),
        "interval": interval(row.low, row.high),
        "change": _difference(row.change),
        "others": [
            {"value": percent(value), "over": _difference(row.over_baselines.get(name))}
            for name, value in zip(names[1:], others, strict=True)
        ],
        # For the bar: places in per cent of its width.
        "bar": None if math.isnan(row.low) else [100 * row.low, 100 * (row.high - row.low)],
        "dots": [
            (name, 100 * value)
            for name, value in ((name, values.get(name, math.nan)) for name in names)
            if not math.isnan(value)
        ],
    }


def _difference(change: Change | None) -> dict[str, Any] | None:
    """Returns how a difference is shown: `mean`, `interval` and whether it is `worse`."""
    if change is None:
        return None
    return {
        "mean": percent(change.mean, "+"),
        "interval": interval(change.low, change.high, "+"),
        "worse": change.mean < 0,
    }


def interval(low: float, high: float, sign: str = "") -> str:
    """Returns an interval of fractions in per cent; "" when there is none."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"{percent(low, sign)} to {percent(high, sign)}"

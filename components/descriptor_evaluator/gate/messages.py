"""How the gate names slices and numbers in its sentences; numbers are in points (per cent)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from components.descriptor_evaluator.gate.verdict import TableRow
from components.descriptor_evaluator.protocol.scores import POOL, TIE_SAFE, Slice
from trainer.core.variants import KIND_NAMES, NOISE_NAMES

METRIC_NAMES = {"ap": "mAP", "auc": "AUC", "success_rate": "success rate"}
"""Names of metrics in the tables of results."""


def name_slice(part: Slice, metric: str) -> str:
    """Names a metric on a slice, e.g. `matching mAP (tough, viewpoint)`."""
    plain = metric.removesuffix(TIE_SAFE)
    if plain.startswith(POOL):
        name = f"mAP at pool size {plain.removeprefix(POOL)}"
    else:
        name = (METRIC_NAMES | {"auc": "ROC AUC"}).get(plain, metric)
    levels = NOISE_NAMES[part.noise] if part.noise else "mean of the noise levels"
    kind = f", {KIND_NAMES[part.kind]}" if part.kind else ""
    return f"{part.task} {name} ({levels}{kind})"


def points(fraction: float) -> str:
    """Returns e.g. `46.25` for 0.4625."""
    return f"{100 * fraction:.2f}"


def signed(fraction: float) -> str:
    """Returns e.g. `-1.00` for -0.01."""
    return f"{100 * fraction:+.2f}"


def above_or_below(difference: float) -> str:
    """Says by how many points something is above or below something else."""
    side = "below" if difference < 0 else "above"
    return f"{100 * abs(difference):.2f} {side}"


def missed_by(margin: float) -> str:
    """Returns e.g. `, missed by 0.05` for a margin of -0.0005; "" when nothing is missed."""
    if not margin < 0:
        return ""
    return f", missed by {-100 * margin:{'.2f' if margin < -5e-5 else '.1g'}}"


def percent(value: float, sign: str = "") -> str:
    """Returns a fraction in per cent, `-` for NaN.

    Example:
        >>> percent(0.4736), percent(0.011, "+")
        ('47.4', '+1.1')
    """
    return "-" if math.isnan(value) else f"{100 * value:{sign}.1f}"


def scenes(rows: Sequence[TableRow]) -> str:
    """Says over how many scenes the intervals are, e.g. `5 scenes`; "" when over none."""
    counts = sorted({row.scenes for row in rows if row.scenes})
    if not counts:
        return ""
    span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{span} scene{'' if span == '1' else 's'}"

"""How the gate names slices and numbers in its sentences; numbers are in points (per cent)."""

from __future__ import annotations

from components.descriptor_evaluator.protocol.scores import POOL, TIE_SAFE, Slice
from trainer.core.variants import NOISE_NAMES

_KIND_NAMES = {"i": "illumination", "v": "viewpoint"}


def name_slice(part: Slice, metric: str) -> str:
    """Names a metric on a slice, e.g. `matching mAP (tough, viewpoint)`."""
    plain = metric.removesuffix(TIE_SAFE)
    if plain.startswith(POOL):
        name = f"mAP at pool size {plain.removeprefix(POOL)}"
    else:
        name = {"ap": "mAP", "auc": "ROC AUC", "success_rate": "success rate"}.get(plain, metric)
    levels = NOISE_NAMES[part.noise] if part.noise else "mean of the noise levels"
    kind = f", {_KIND_NAMES[part.kind]}" if part.kind else ""
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

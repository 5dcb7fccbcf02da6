"""How often the gate refuses a model that is exactly as good as production.

Every rule that looks at a sample refuses good models now and then, the more often the
fewer scenes there are and the more they differ. The gate therefore states its share: the
scenes are resampled around a true difference of 0, the rules are applied to each resample,
and the refusals are counted. Bounds and p-values of a resample come from the same resamples
(a bootstrap inside each would cost thousands of times more).

The share holds for two given models on new scenes. What training the same model once more
would change is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from components.descriptor_evaluator.settings import MIN_SCENES
from components.descriptor_evaluator.statistics.intervals import (
    BOOTSTRAP_SCENES,
    CONFIDENCE,
    RESAMPLES,
    SceneTotals,
    known_errors,
    resampled_errors,
)


def false_rejection_rate(
    differences: Sequence[SceneTotals],
    deltas: Sequence[float],
    mode: str,
    resamples: int = RESAMPLES,
) -> float:
    """Returns the share of equally good models that the comparison with production refuses.

    Args:
        differences: Candidate - production per guarded slice, over the same scenes.
        deltas: Loss that is still called "not worse", per slice.
        mode: `lower_bound` or `point`, as in `ProductionRule`.
        resamples: Bootstrap resamples.

    Returns:
        A share of all such models; NaN when there are too few scenes to say, or slices have
        different ones.
    """
    scenes = {item.scenes for item in differences}
    size = len(next(iter(scenes), ()))
    if len(scenes) != 1 or size < BOOTSTRAP_SCENES:
        return float("nan")
    if not all(np.isfinite(item.sums).all() for item in differences):
        return float("nan")
    drawn = [resampled_errors(item, resamples) for item in differences]
    shifts, errors = np.stack(drawn, axis=1)  # [slices, resamples] each
    usable = known_errors(errors, np.sqrt((shifts**2).mean(axis=1, keepdims=True)))
    pivots = np.divide(shifts, errors, out=np.zeros_like(shifts), where=usable)
    limits = -np.asarray(deltas, np.float64)[:, None]
    refused = (shifts < limits).any(axis=0)
    if mode == "lower_bound":
        if size < MIN_SCENES:
            return 1.0
        reach = np.quantile(pivots, CONFIDENCE, axis=1, keepdims=True)
        reach = np.maximum(reach, stats.t.ppf(CONFIDENCE, size - 1))
        refused |= (shifts - reach * errors <= limits).any(axis=0)
    # Holm refuses something if and only if the smallest p-value passes its first step.
    level = (1.0 - CONFIDENCE) / len(differences)
    worst = np.quantile(pivots, level, axis=1, keepdims=True)
    refused |= ((pivots < worst) & usable).any(axis=0)
    return float(refused.mean())

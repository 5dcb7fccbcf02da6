"""Whether the candidate is worse than what was pushed before it.

Not worse than production (per guarded slice, paired over scenes):

* the difference of the means is not below -delta;
* the candidate is not *significantly worse*: Holm over all guarded slices, so that
  together they refuse an equally good model at most at the stated level;
* with mode `lower_bound`, the one-sided lower bound of the difference is above -delta. All
  slices must pass, so the level holds without a correction (intersection-union).

Not worse than the best model ever pushed: each model may lose up to delta against the one
before it, and many such steps add up. Only the means are compared: the best of many equally
good models looks better than it is, and a test would take that luck for quality.

Source of the rule: non-inferiority testing as in ICH E9/E10; Holm (1979).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.core.names import PRODUCTION
from components.descriptor_evaluator.gate.false_rejection import false_rejection_rate
from components.descriptor_evaluator.gate.messages import (
    above_or_below,
    missed_by,
    name_slice,
    points,
    signed,
)
from components.descriptor_evaluator.gate.verdict import Check, Production
from components.descriptor_evaluator.protocol.scores import Slice
from components.descriptor_evaluator.settings import (
    MIN_SCENES,
    ROUNDING,
    GateSettings,
    ProductionRule,
)
from components.descriptor_evaluator.statistics import intervals
from components.descriptor_evaluator.statistics.intervals import (
    BOOTSTRAP_SCENES,
    CONFIDENCE,
    PairedDifference,
    holm,
    paired_difference,
)
from components.descriptor_evaluator.statistics.score_table import ScoreTable


@dataclass(frozen=True)
class Guard:
    """A slice that must not get worse than in production.

    Attributes:
        part: The slice.
        delta: Loss that is still called "not worse".
    """

    part: Slice
    delta: float


def guards(rule: ProductionRule) -> tuple[Guard, ...]:
    """Returns what is guarded: every task with every slice."""
    return tuple(
        Guard(
            Slice(task, guarded.noise or "", guarded.kind or ""),
            rule.delta if guarded.delta is None else guarded.delta,
        )
        for task in rule.tasks
        for guarded in rule.slices
    )


def production_checks(
    candidate: ScoreTable,
    production: ScoreTable | None,
    state: Production,
    settings: GateSettings,
) -> list[Check]:
    """Checks that the candidate is not worse than the model in production."""
    rule = settings.production
    if state.status == "none":
        return [Check(PRODUCTION, True, "There is no production model yet to compare with.")]
    if state.status == "identical":
        return [Check(PRODUCTION, True, "The candidate is identical to the production model.")]
    if production is None or not production.covers_the_same_units_as(candidate):
        sentence = "The production model was not scored on the candidate's units."
        return [Check(PRODUCTION, False, sentence)]
    differences = [
        compare(candidate, production, guard.part, settings.metric) for guard in guards(rule)
    ]
    return decide(differences, settings)


def decide(differences: Sequence[PairedDifference], settings: GateSettings) -> list[Check]:
    """Applies the rules of "not worse than production" to measured differences.

    Args:
        differences: Candidate - production for each of `guards`.
        settings: Thresholds.
    """
    guarded, checks = guards(settings.production), []
    for guard, difference in zip(guarded, differences, strict=True):
        checks.append(_point_check(PRODUCTION, PRODUCTION, guard, difference.mean, settings))
        if settings.production.mode == "lower_bound":
            checks.append(_bound_check(guard, difference, settings))
    return checks + _significance_checks([guard.part for guard in guarded], differences, settings)


def stated_rejection_rate(
    candidate: ScoreTable, production: ScoreTable, settings: GateSettings
) -> float:
    """Returns the share of equally good models that `production_checks` refuses; NaN: unknown."""
    if not production.covers_the_same_units_as(candidate):
        return math.nan
    guarded, metric = guards(settings.production), settings.metric
    totals = [
        [table.totals(guard.part, metric) for table in (candidate, production)] for guard in guarded
    ]
    if any(ours.scenes != theirs.scenes for ours, theirs in totals):
        return math.nan  # a verification slice without known influences has no scenes
    differences = [intervals.difference(ours, theirs) for ours, theirs in totals]
    return false_rejection_rate(
        differences, [guard.delta for guard in guarded], settings.production.mode
    )


def best_pushed_checks(
    candidate: ScoreTable,
    production: ScoreTable,
    earlier: Mapping[str, ScoreTable],
    settings: GateSettings,
) -> list[Check]:
    """Checks that the candidate is not below the best model ever pushed.

    When that is the one in production there is nothing to add.
    """
    guarded, metric = guards(settings.production), settings.metric

    def standing(table: ScoreTable) -> float:
        return math.fsum(table.mean(guard.part, metric) for guard in guarded) / len(guarded)

    standings = {
        name: standing(table)
        for name, table in earlier.items()
        if table.covers_the_same_units_as(candidate)
    }
    better = {name: value for name, value in standings.items() if value > standing(production)}
    if not better:
        return []
    best = max(better, key=lambda name: better[name])
    label = f"{best}, the best model ever pushed"
    return [
        _point_check(
            "best_pushed",
            label,
            guard,
            candidate.mean(guard.part, metric) - earlier[best].mean(guard.part, metric),
            settings,
        )
        for guard in guarded
    ]


def compare(
    candidate: ScoreTable, production: ScoreTable, part: Slice, metric: str
) -> PairedDifference:
    """Returns candidate minus production on a slice, paired over scenes."""
    mean = candidate.mean(part, metric) - production.mean(part, metric)
    ours, theirs = candidate.totals(part, metric), production.totals(part, metric)
    if not ours.scenes or not theirs.scenes:
        nan = math.nan
        return PairedDifference(mean, nan, nan, nan, nan, nan, 0, "none")
    return paired_difference(ours, theirs)


def _point_check(
    name: str, other: str, guard: Guard, difference: float, settings: GateSettings
) -> Check:
    """Compares means: how far the candidate may be below another model."""
    part, delta = guard.part, guard.delta
    words = name_slice(part, settings.metric)
    passed = difference >= -delta - ROUNDING
    if not math.isfinite(difference):
        sentence = f"{words} has no value to compare with {other}."
    else:
        missed = "" if passed else missed_by(difference + delta)
        sentence = (
            f"{words} is {above_or_below(difference)} {other}; "
            f"allowed: at most {points(delta)} below{missed}."
        )
    return Check(name, passed, sentence, part, settings.metric, difference, -delta)


def _bound_check(guard: Guard, difference: PairedDifference, settings: GateSettings) -> Check:
    part = guard.part
    words = name_slice(part, settings.metric)
    if difference.scenes < MIN_SCENES:
        sentence = (
            f"{words}: {difference.scenes} scenes are too few for a lower bound (at least "
            f"{MIN_SCENES}); evaluate on more scenes or set "
            f"gate.production.mode to point."
        )
        return Check(PRODUCTION, False, sentence, part, settings.metric, threshold=-guard.delta)
    passed = difference.lower > -guard.delta
    sentence = (
        f"{words}: the {100 * CONFIDENCE:g} % lower bound of the difference to production "
        f"is {signed(difference.lower)} over {difference.scenes} scenes; it must be above "
        f"{signed(-guard.delta)}."
    )
    return Check(
        PRODUCTION, passed, sentence, part, settings.metric, difference.lower, -guard.delta
    )


def _significance_checks(
    parts: Sequence[Slice], differences: Sequence[PairedDifference], settings: GateSettings
) -> list[Check]:
    """Tests "significantly worse" on all guarded slices together; the value is Holm's p."""
    level = 1.0 - CONFIDENCE
    tested = [place for place, item in enumerate(differences) if item.scenes >= BOOTSTRAP_SCENES]
    adjusted = dict(
        zip(tested, holm([differences[place].p_worse for place in tested]), strict=True)
    )
    checks = []
    for place, part in enumerate(parts):
        words, scenes = name_slice(part, settings.metric), differences[place].scenes
        if place not in adjusted:
            sentence = (
                f"{words}: {scenes} scenes are too few to test for a significant loss; "
                f"the means decide."
            )
            checks.append(Check(PRODUCTION, True, sentence, part, "p"))
            continue
        p = float(adjusted[place])
        passed = p >= level  # False for NaN
        sentence = (
            f"{words} is {'not ' if passed else ''}significantly worse than production "
            f"(p = {p:.3f} after Holm, level {level:.2g}, {scenes} scenes)."
        )
        checks.append(Check(PRODUCTION, passed, sentence, part, "p", p, level))
    return checks

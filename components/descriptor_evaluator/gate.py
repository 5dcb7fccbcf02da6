"""The gate: from unit rows to checks.

Pure functions over unit rows. A check that cannot be made (no rows, a missing metric, NaN,
other units than the candidate's) fails; nothing passes for want of evidence.

Not worse than production (per guarded slice, paired over sources):

* the difference of the means is not below -delta;
* the candidate is not *significantly worse*: Holm over all guarded slices, so that
  together they refuse an equally good model at most at the stated level;
* with mode `lower_bound`, the one-sided lower bound of the difference is above -delta. All
  slices must pass, so the level holds without a correction (intersection-union).

Source of the rule: non-inferiority testing as in ICH E9/E10; Holm (1979).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from components.descriptor_evaluator.intervals import (
    BOOTSTRAP_SOURCES,
    PairedDifference,
    holm,
    mean_interval,
    paired_difference,
)
from components.descriptor_evaluator.settings import (
    MAIN_METRIC,
    ROUNDING,
    Floor,
    GateSettings,
)
from components.descriptor_evaluator.unit_table import UnitTable
from components.descriptor_evaluator.verdict import (
    Change,
    Check,
    Production,
    Slice,
    TableRow,
    Verdict,
)
from trainer.variants import NOISE_NAMES, NOISES

_KIND_NAMES = {"i": "illumination", "v": "viewpoint"}


@dataclass(frozen=True)
class Evidence:
    """What the gate judges.

    Attributes:
        candidate: Rows of the candidate.
        baselines: Rows of the handmade descriptors, by name.
        production: Rows of the model in production; None when there is none or it is the
            candidate itself.
        production_state: What stands in production.
        candidate_checksum: Of the candidate.
        other_checks: Checks made elsewhere (degeneracy, TFMA's validation).
        notes: Remarks to carry into the verdict.
    """

    candidate: UnitTable
    baselines: Mapping[str, UnitTable]
    production: UnitTable | None = None
    production_state: Production = field(default_factory=Production)
    candidate_checksum: str = ""
    other_checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()


def judge(evidence: Evidence, settings: GateSettings, tasks: Sequence[str]) -> Verdict:
    """Makes every check and returns the verdict.

    Args:
        evidence: Rows of the candidate and of what it is compared with.
        settings: Thresholds.
        tasks: Tasks that had to be scored.
    """
    checks = [
        *completeness_checks(evidence, settings.metric, tasks),
        *(floor_check(evidence.candidate, floor, settings.metric) for floor in settings.floors),
        *(baseline_checks(evidence, settings) if settings.baseline else ()),
        *production_checks(evidence, settings),
        *evidence.other_checks,
    ]
    return Verdict(
        checks=tuple(checks),
        table=result_table(evidence, settings, tasks),
        production=evidence.production_state,
        candidate_checksum=evidence.candidate_checksum,
        notes=(*evidence.notes, *_source_notes(evidence, tasks)),
    )


def completeness_checks(evidence: Evidence, metric: str, tasks: Sequence[str]) -> list[Check]:
    """Checks that every task has rows with finite values at every noise level."""
    checks = []
    for task in tasks:
        missing = [
            NOISE_NAMES[noise]
            for noise in NOISES
            if not len(evidence.candidate.values(Slice(task, noise), metric))
        ]
        values = evidence.candidate.values(Slice(task), metric)
        bad = int((~np.isfinite(values)).sum())
        if missing:
            sentence = f"{task} has no result at noise {', '.join(missing)}."
        elif bad:
            sentence = f"{task} has no finite {metric} on {bad} of {len(values)} units."
        else:
            sentence = f"{task} is complete: {len(values)} units."
        checks.append(Check("evaluation", not missing and not bad, sentence, Slice(task), metric))
    return checks


def floor_check(candidate: UnitTable, floor: Floor, default_metric: str) -> Check:
    """Checks an absolute threshold, on `default_metric` if the floor names none."""
    metric = floor.metric or default_metric
    part = Slice(floor.task, floor.noise or "", floor.kind or "")
    value = candidate.mean(part, metric)
    passed = value >= floor.at_least - ROUNDING
    words = _words(part, metric)
    if not math.isfinite(value):
        sentence = f"{words} has no value; the floor is {_points(floor.at_least)}."
    else:
        place = _distance(value - floor.at_least)
        sentence = f"{words} is {_points(value)}, {place} the floor of {_points(floor.at_least)}."
    return Check("floor", passed, sentence, part, metric, value, floor.at_least)


def baseline_checks(evidence: Evidence, settings: GateSettings) -> list[Check]:
    """Checks the candidate against the better of the baselines, per task and margin."""
    rule = settings.baseline
    if rule is None:
        return []
    checks = []
    for task in rule.tasks:
        for level, margin in rule.margins.items():
            part = Slice(task, "" if level == "mean" else level)
            checks.append(_baseline_check(evidence, settings.metric, rule.names, part, margin))
    return checks


def _baseline_check(
    evidence: Evidence, metric: str, names: Sequence[str], part: Slice, margin: float
) -> Check:
    words = _words(part, metric)
    value = evidence.candidate.mean(part, metric)
    means = {}
    for name in names:
        table = evidence.baselines.get(name)
        if table is None or not table.covers_the_same_units_as(evidence.candidate):
            sentence = f"{words}: {name} was not scored on the candidate's units."
            return Check("baseline", False, sentence, part, metric, threshold=margin)
        means[name] = table.mean(part, metric)
    if not all(math.isfinite(mean) for mean in (value, *means.values())):
        sentence = f"{words} has no value to compare with {' and '.join(names)}."
        return Check("baseline", False, sentence, part, metric, threshold=margin)
    best = max(means, key=lambda name: means[name])
    difference = value - means[best]
    passed = difference >= margin - ROUNDING
    sentence = (
        f"{words} is {_points(value)}, {_distance(difference)} {best} ({_points(means[best])}); "
        f"asked: at least {_signed(margin)}."
    )
    return Check("baseline", passed, sentence, part, metric, difference, margin)


def production_checks(evidence: Evidence, settings: GateSettings) -> list[Check]:
    """Checks that the candidate is not worse than the model in production."""
    rule, state = settings.production, evidence.production_state
    if state.status == "none":
        return [Check("production", True, "There is no production model yet to compare with.")]
    if state.status == "identical":
        return [Check("production", True, "The candidate is identical to the production model.")]
    table = evidence.production
    if table is None or not table.covers_the_same_units_as(evidence.candidate):
        sentence = "The production model was not scored on the candidate's units."
        return [Check("production", False, sentence)]
    parts = [
        Slice(task, guarded.noise or "", guarded.kind or "")
        for task in rule.tasks
        for guarded in rule.slices
    ]
    found = [
        _difference(evidence.candidate, table, part, settings.metric, settings) for part in parts
    ]
    checks = []
    for part, difference in zip(parts, found, strict=True):
        checks.append(_point_check(part, difference, settings))
        if rule.mode == "lower_bound":
            checks.append(_bound_check(part, difference, settings))
    return checks + _significance_checks(parts, found, settings)


def _difference(
    candidate: UnitTable, production: UnitTable, part: Slice, metric: str, settings: GateSettings
) -> PairedDifference:
    mean = candidate.mean(part, metric) - production.mean(part, metric)
    ours, theirs = candidate.totals(part, metric), production.totals(part, metric)
    if not ours.sources:
        nan = math.nan
        return PairedDifference(mean, nan, nan, nan, nan, 0, "none")
    return paired_difference(
        ours,
        theirs,
        confidence=settings.production.confidence,
        resamples=settings.resamples,
        seed=settings.seed,
    )


def _point_check(part: Slice, found: PairedDifference, settings: GateSettings) -> Check:
    rule, words = settings.production, _words(part, settings.metric)
    passed = found.mean >= -rule.delta - ROUNDING
    if not math.isfinite(found.mean):
        sentence = f"{words} has no value to compare with production."
    else:
        sentence = (
            f"{words} is {_distance(found.mean)} production; "
            f"allowed: at most {_points(rule.delta)} below."
        )
    return Check("production", passed, sentence, part, settings.metric, found.mean, -rule.delta)


def _bound_check(part: Slice, found: PairedDifference, settings: GateSettings) -> Check:
    rule, words = settings.production, _words(part, settings.metric)
    if found.sources < rule.min_sources:
        sentence = (
            f"{words}: {found.sources} sources are too few for a lower bound (at least "
            f"{rule.min_sources}); evaluate on more sources or set "
            f"gate.production.mode to point."
        )
        return Check("production", False, sentence, part, settings.metric, threshold=-rule.delta)
    passed = found.lower > -rule.delta
    sentence = (
        f"{words}: the {100 * rule.confidence:g} % lower bound of the difference to production "
        f"is {_signed(found.lower)} over {found.sources} sources; it must be above "
        f"{_signed(-rule.delta)}."
    )
    return Check("production", passed, sentence, part, settings.metric, found.lower, -rule.delta)


def _significance_checks(
    parts: Sequence[Slice], found: Sequence[PairedDifference], settings: GateSettings
) -> list[Check]:
    """Tests "significantly worse" on all guarded slices together; the value is Holm's p."""
    level = 1.0 - settings.production.confidence
    tested = [place for place, item in enumerate(found) if item.sources >= BOOTSTRAP_SOURCES]
    adjusted = dict(zip(tested, holm([found[place].p_worse for place in tested]), strict=True))
    checks = []
    for place, part in enumerate(parts):
        words, sources = _words(part, settings.metric), found[place].sources
        if place not in adjusted:
            sentence = (
                f"{words}: {sources} sources are too few to test for a significant loss; "
                f"the means decide."
            )
            checks.append(Check("production", True, sentence, part, "p"))
            continue
        p = float(adjusted[place])
        passed = p >= level  # False for NaN
        sentence = (
            f"{words} is {'not ' if passed else ''}significantly worse than production "
            f"(p = {p:.3f} after Holm, level {level:.2g}, {sources} sources)."
        )
        checks.append(Check("production", passed, sentence, part, "p", p, level))
    return checks


def result_table(
    evidence: Evidence, settings: GateSettings, tasks: Sequence[str]
) -> tuple[TableRow, ...]:
    """Returns the mean of every task and noise with its interval, beside the others."""
    rows = []
    for task in tasks:
        for noise in (*NOISES, "mean"):
            part = Slice(task, "" if noise == "mean" else noise)
            totals = evidence.candidate.totals(part, MAIN_METRIC)
            interval = mean_interval(totals, resamples=settings.resamples, seed=settings.seed)
            candidate = evidence.candidate.mean(part, MAIN_METRIC)
            production, change = _production_cells(evidence, settings, part, candidate)
            rows.append(
                TableRow(
                    task=task,
                    noise=noise,
                    metric=MAIN_METRIC,
                    candidate=candidate,
                    low=interval.low,
                    high=interval.high,
                    sources=interval.sources,
                    baselines={
                        name: table.mean(part, MAIN_METRIC)
                        for name, table in evidence.baselines.items()
                    },
                    production=production,
                    change=change,
                )
            )
    return tuple(rows)


def _production_cells(
    evidence: Evidence, settings: GateSettings, part: Slice, candidate: float
) -> tuple[float, Change | None]:
    if evidence.production_state.status == "identical":
        return candidate, Change(0.0, 0.0, 0.0)
    table = evidence.production
    if table is None:
        return math.nan, None
    value = table.mean(part, MAIN_METRIC)
    if not table.covers_the_same_units_as(evidence.candidate):
        return value, None
    found = _difference(evidence.candidate, table, part, MAIN_METRIC, settings)
    return value, Change(found.mean, found.low, found.high)


def _source_notes(evidence: Evidence, tasks: Sequence[str]) -> list[str]:
    """Says when the intervals rest on few sources."""
    counts = {
        len(evidence.candidate.totals(Slice(task), MAIN_METRIC).sources) for task in tasks
    } - {0}
    if counts and min(counts) < BOOTSTRAP_SOURCES:
        return [
            f"The intervals rest on {min(counts)} sources: too few for more than an impression "
            f"(at least {BOOTSTRAP_SOURCES} are wanted)."
        ]
    return []


def _words(part: Slice, metric: str) -> str:
    """Names a metric on a slice, e.g. `matching mAP (tough, viewpoint)`."""
    plain = metric.removesuffix("_tie_safe")
    if metric.startswith("ap@"):
        name = f"mAP at pool size {metric[3:]}"
    else:
        name = {"ap": "mAP", "auc": "ROC AUC", "success_rate": "success rate"}.get(plain, metric)
    levels = NOISE_NAMES[part.noise] if part.noise else "mean of the noise levels"
    kind = f", {_KIND_NAMES[part.kind]}" if part.kind else ""
    return f"{part.task} {name} ({levels}{kind})"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.2f}"


def _signed(fraction: float) -> str:
    return f"{100 * fraction:+.2f}"


def _distance(difference: float) -> str:
    """Says by how many points something is above or below something else."""
    side = "below" if difference < 0 else "above"
    return f"{100 * abs(difference):.2f} {side}"

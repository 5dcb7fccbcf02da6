"""The gate: from unit scores to checks.

Pure functions over unit scores. A check that cannot be made (no rows, a missing metric, NaN,
other units than the candidate's) fails; nothing passes for want of evidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from components.descriptor_evaluator.gate.messages import (
    above_or_below,
    missed_by,
    name_slice,
    points,
    signed,
)
from components.descriptor_evaluator.gate.non_inferiority import (
    best_pushed_checks,
    compare,
    production_checks,
    stated_rejection_rate,
)
from components.descriptor_evaluator.gate.verdict import (
    Change,
    Check,
    Production,
    TableRow,
    Verdict,
)
from components.descriptor_evaluator.protocol.scores import MAIN_METRIC, Slice
from components.descriptor_evaluator.settings import ROUNDING, Floor, GateSettings
from components.descriptor_evaluator.statistics import degeneracy
from components.descriptor_evaluator.statistics.intervals import BOOTSTRAP_SCENES, mean_interval
from components.descriptor_evaluator.statistics.score_table import ScoreTable
from trainer.core.variants import NOISE_NAMES, NOISES


@dataclass(frozen=True)
class Evidence:
    """What the gate judges.

    Attributes:
        candidate: Rows of the candidate.
        baselines: Rows of the handcrafted descriptors, by name.
        production: Rows of the model in production; None when there is none or it is the
            candidate itself.
        production_state: Status of production.
        earlier: Rows of other models that were pushed, by what they are called.
        candidate_checksum: Checksum of the candidate's SavedModel.
        degeneracy: Measures of the candidate's descriptors (`statistics.degeneracy.measure`);
            None when they were not examined.
        leak: A sentence when the candidate was trained on what it is scored on, else "".
        notes: Remarks to carry into the verdict.
    """

    candidate: ScoreTable
    baselines: Mapping[str, ScoreTable]
    production: ScoreTable | None = None
    production_state: Production = field(default_factory=Production)
    earlier: Mapping[str, ScoreTable] = field(default_factory=dict)
    candidate_checksum: str = ""
    degeneracy: Mapping[str, Any] | None = None
    leak: str = ""
    notes: tuple[str, ...] = ()


def judge(evidence: Evidence, settings: GateSettings, tasks: Sequence[str]) -> Verdict:
    """Makes every check and returns the verdict."""
    checks = [
        *completeness_checks(evidence, settings.metric, tasks),
        *(floor_check(evidence.candidate, floor, settings) for floor in settings.floors),
        *(baseline_checks(evidence, settings) if settings.baseline else ()),
        *production_checks(
            evidence.candidate, evidence.production, evidence.production_state, settings
        ),
        *_best_pushed_checks(evidence, settings),
        *([Check("evaluation", False, evidence.leak)] if evidence.leak else []),
        degeneracy_check(evidence.degeneracy),
    ]
    production = evidence.production_state
    if evidence.production is not None:
        share = stated_rejection_rate(evidence.candidate, evidence.production, settings)
        production = replace(production, refused_if_equal=share)
    return Verdict(
        checks=tuple(checks),
        table=result_table(evidence, tasks),
        production=production,
        candidate_checksum=evidence.candidate_checksum,
        notes=(*evidence.notes, *_scene_notes(evidence, tasks), *_refusal_notes(production)),
    )


def degeneracy_check(report: Mapping[str, Any] | None) -> Check:
    """Checks that the descriptors tell patches apart.

    Args:
        report: As `Evidence.degeneracy`.
    """
    if report is None:
        return Check("degeneracy", False, "The descriptors were not examined for degeneracy.")
    problems = degeneracy.problems(report)
    if problems:
        sentence = f"The descriptors are degenerate: {'; '.join(problems)}."
    else:
        sentence = (
            f"The descriptors tell patches apart: {100 * report['distinct_share']:.1f} % are "
            f"distinct, spread {report['spread']:.2f} of their length."
        )
    return Check("degeneracy", not problems, sentence)


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


def floor_check(candidate: ScoreTable, floor: Floor, settings: GateSettings) -> Check:
    """Checks an absolute threshold, on the metric that the settings give it."""
    metric = settings.metric_of(floor)
    part = Slice(floor.task, floor.noise or "", floor.kind or "")
    value = candidate.mean(part, metric)
    passed = value >= floor.at_least - ROUNDING
    words = name_slice(part, metric)
    if not math.isfinite(value):
        sentence = f"{words} has no value; the floor is {points(floor.at_least)}."
    else:
        place = above_or_below(value - floor.at_least)
        sentence = f"{words} is {points(value)}, {place} the floor of {points(floor.at_least)}."
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
    for item in rule.slices:
        names = rule.names if item.over is None else (item.over,)
        for task in rule.tasks if item.task is None else (item.task,):
            part = Slice(task, item.noise or "", item.kind or "")
            checks.append(_baseline_check(evidence, settings.metric, names, part, item.margin))
    return checks


def _baseline_check(
    evidence: Evidence, metric: str, names: Sequence[str], part: Slice, margin: float
) -> Check:
    words = name_slice(part, metric)
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
        f"{words} is {points(value)}, {above_or_below(difference)} {best} ({points(means[best])}); "
        f"asked: at least {signed(margin)}{'' if passed else missed_by(difference - margin)}."
    )
    return Check("baseline", passed, sentence, part, metric, difference, margin)


def _best_pushed_checks(evidence: Evidence, settings: GateSettings) -> list[Check]:
    """Compares with other pushed models; the model in production itself is not held to them."""
    if evidence.production is None or not settings.production.best_pushed:
        return []
    return best_pushed_checks(evidence.candidate, evidence.production, evidence.earlier, settings)


def result_table(evidence: Evidence, tasks: Sequence[str]) -> tuple[TableRow, ...]:
    """Returns the mean of every task and noise with its interval, beside the others."""
    rows = []
    for task in tasks:
        for noise in (*NOISES, "mean"):
            part = Slice(task, "" if noise == "mean" else noise)
            totals = evidence.candidate.totals(part, MAIN_METRIC)
            interval = mean_interval(totals)
            candidate = evidence.candidate.mean(part, MAIN_METRIC)
            production, change = _production_cells(evidence, part, candidate)
            low, high = np.clip([interval.low, interval.high], 0.0, 1.0).tolist()  # keeps NaN
            rows.append(
                TableRow(
                    task=task,
                    noise=noise,
                    metric=MAIN_METRIC,
                    candidate=candidate,
                    low=low,
                    high=high,
                    scenes=interval.scenes,
                    baselines={
                        name: table.mean(part, MAIN_METRIC)
                        for name, table in evidence.baselines.items()
                    },
                    production=production,
                    change=change,
                    over_baselines=_over_baselines(evidence, part),
                )
            )
    return tuple(rows)


def _production_cells(
    evidence: Evidence, part: Slice, candidate: float
) -> tuple[float, Change | None]:
    if evidence.production_state.status == "identical":
        return candidate, Change(0.0, 0.0, 0.0)
    table = evidence.production
    if table is None:
        return math.nan, None
    value = table.mean(part, MAIN_METRIC)
    if not table.covers_the_same_units_as(evidence.candidate):
        return value, None
    difference = compare(evidence.candidate, table, part, MAIN_METRIC)
    return value, Change(difference.mean, difference.low, difference.high)


def _over_baselines(evidence: Evidence, part: Slice) -> dict[str, Change]:
    """Returns candidate minus each baseline; without those that cannot be paired with it."""
    differences = {
        name: compare(evidence.candidate, table, part, MAIN_METRIC)
        for name, table in evidence.baselines.items()
        if table.covers_the_same_units_as(evidence.candidate)
    }
    return {name: Change(item.mean, item.low, item.high) for name, item in differences.items()}


def _scene_notes(evidence: Evidence, tasks: Sequence[str]) -> list[str]:
    """Says when the intervals rest on few scenes."""
    counts = {len(evidence.candidate.totals(Slice(task), MAIN_METRIC).scenes) for task in tasks} - {
        0
    }
    if counts and min(counts) < BOOTSTRAP_SCENES:
        return [
            f"The intervals rest on {min(counts)} scenes: too few for more than an impression "
            f"(at least {BOOTSTRAP_SCENES} are wanted)."
        ]
    return []


def _refusal_notes(production: Production) -> list[str]:
    """Says how often the comparison refuses models that deserve no refusal."""
    if not math.isfinite(production.refused_if_equal):
        return []
    return [
        f"Of models exactly as good as production this comparison refuses about "
        f"{100 * production.refused_if_equal:.0f} %."
    ]

import dataclasses
import math

import numpy as np
import pytest

from components.descriptor_evaluator.comparison import production_checks
from components.descriptor_evaluator.gate import Evidence, judge
from components.descriptor_evaluator.settings import GateSettings
from components.descriptor_evaluator.unit_table import UnitTable
from components.descriptor_evaluator.verdict import Check, Production, Slice
from tests.components.descriptor_evaluator.unit_row_samples import level, matching_rows, table

TASKS = ("verification", "matching", "retrieval")
COMPARED = Production("compared", "abc")


def gate(**changes):
    base = {"floors": [{"task": "matching", "at_least": 0.3}], "resamples": 400}
    return GateSettings.model_validate(base | changes)


def evidence(candidate, production=None, sources=12, **changes):
    values = {
        "candidate": table(candidate, sources),
        "baselines": {
            "rootsift": table(level(0.40), sources),
            "rootsift-smoothed": table(level(0.45), sources),
        },
    }
    if production is not None:
        values |= {"production": table(production, sources), "production_state": COMPARED}
    return Evidence(**values | changes)


def failed(verdict, name):
    return [check for check in verdict.checks if check.name == name and not check.passed]


def test_a_good_first_model_is_blessed_and_production_is_recorded_as_absent():
    verdict = judge(evidence(level(0.6)), gate(), TASKS)
    assert verdict.blessed
    assert verdict.reasons == ()
    (check,) = [check for check in verdict.checks if check.name == "production"]
    assert "no production model yet" in check.sentence


def test_a_floor_that_is_missed_says_which_slice_and_by_how_much():
    settings = gate(
        floors=[{"task": "matching", "noise": "t", "kind": "v", "at_least": 0.5}], baseline=None
    )
    verdict = judge(evidence(0.4625), settings, TASKS)
    (check,) = failed(verdict, "floor")
    assert check.slice == Slice("matching", "t", "v")
    assert check.value == pytest.approx(0.4625)
    assert check.margin == pytest.approx(-0.0375)
    assert check.sentence == (
        "matching mAP (tough, viewpoint) is 46.25, 3.75 below the floor of 50.00."
    )
    assert verdict.reasons == (check.sentence,)


def test_a_value_exactly_on_the_floor_passes():
    settings = gate(floors=[{"task": "matching", "at_least": 0.7}], baseline=None)
    assert judge(evidence(0.7), settings, TASKS).blessed
    assert not judge(evidence(0.6999), settings, TASKS).blessed


def test_a_floor_on_another_metric_looks_at_that_metric():
    floors = [{"task": "matching", "metric": "success_rate", "at_least": 0.6}]
    (check,) = failed(judge(evidence(0.9), gate(floors=floors), TASKS), "floor")
    assert check.value == 0.5


def test_the_better_baseline_counts():
    verdict = judge(evidence(level(0.43)), gate(), TASKS)
    checks = failed(verdict, "baseline")
    assert {(check.slice.task, check.slice.noise) for check in checks} == {
        ("matching", ""),
        ("retrieval", ""),
        ("matching", "e"),
        ("retrieval", "e"),
    }
    assert all("rootsift-smoothed" in check.sentence for check in checks)
    assert checks[0].value == pytest.approx(-0.02)


def test_easy_may_be_one_point_below_the_baseline_when_the_mean_is_above():
    def score(loss):
        good, bad = level(0.55), level(0.45)
        return lambda task, noise, kind, source: (
            bad(task, noise, kind, source) - loss
            if noise == "e"
            else good(task, noise, kind, source)
        )

    assert judge(evidence(score(0.009)), gate(), TASKS).blessed
    checks = failed(judge(evidence(score(0.012)), gate(), TASKS), "baseline")
    assert {check.slice.noise for check in checks} == {"e"}


def test_a_demanded_margin_over_the_baseline_is_demanded():
    rule = {"margins": {"mean": 0.06}}
    assert judge(evidence(level(0.5105)), gate(baseline=rule), TASKS).blessed
    assert not judge(evidence(level(0.5095)), gate(baseline=rule), TASKS).blessed


def test_a_baseline_that_was_not_scored_refuses():
    found = dataclasses.replace(evidence(level(0.6)), baselines={})
    checks = failed(judge(found, gate(), TASKS), "baseline")
    assert checks and all("not scored" in check.sentence for check in checks)


def test_an_equal_model_is_not_worse_than_production():
    verdict = judge(evidence(level(0.6), level(0.6)), gate(), TASKS)
    assert verdict.blessed
    assert {check.metric for check in verdict.checks if check.name == "production"} == {
        "ap_tie_safe",
        "p",
    }


def test_a_loss_beyond_delta_is_refused_by_means_bound_and_significance():
    verdict = judge(evidence(level(0.58), level(0.6, wobble=0.001)), gate(), TASKS)
    checks = failed(verdict, "production")
    assert len(checks) == 6  # two tasks, three rules
    assert checks[0].value == pytest.approx(-0.02, abs=0.002)
    assert "below production; allowed: at most 1.00 below" in checks[0].sentence


def test_a_small_but_certain_loss_is_significantly_worse_though_within_delta():
    verdict = judge(evidence(level(0.595, wobble=0.001), level(0.6)), gate(), TASKS)
    checks = failed(verdict, "production")
    assert checks and {check.metric for check in checks} == {"p"}
    assert "significantly worse" in checks[0].sentence


def test_an_uncertain_difference_is_refused_by_the_bound_but_not_by_the_means():
    production = level(0.6)

    def candidate(task, noise, kind, source):
        return production(task, noise, kind, source) + (0.06 if source % 2 else -0.04)

    assert failed(judge(evidence(candidate, production), gate(), TASKS), "production")
    point = gate(production={"mode": "point"})
    assert judge(evidence(candidate, production), point, TASKS).blessed


def test_few_sources_refuse_in_mode_lower_bound_and_are_named_in_mode_point():
    found = evidence(level(0.6), level(0.5), sources=5)
    checks = failed(judge(found, gate(), TASKS), "production")
    assert checks and all("5 sources are too few" in check.sentence for check in checks)
    verdict = judge(found, gate(production={"mode": "point"}), TASKS)
    assert verdict.blessed
    assert any("too few to test" in check.sentence for check in verdict.checks)
    assert any("5 sources" in note for note in verdict.notes)


def test_point_mode_still_refuses_a_mean_below_delta():
    found = evidence(level(0.588), level(0.6), sources=5)
    checks = failed(judge(found, gate(production={"mode": "point"}), TASKS), "production")
    assert [check.value for check in checks] == pytest.approx([-0.012, -0.012])


def worse_on_tough_viewpoint(loss):
    production = level(0.5)

    def candidate(task, noise, kind, source):
        change = -loss if (noise, kind) == ("t", "v") else 0.05
        return production(task, noise, kind, source) + change

    return evidence(candidate, production)


def test_a_loss_on_tough_viewpoint_is_refused_only_where_that_is_guarded():
    found = worse_on_tough_viewpoint(0.05)
    unguarded = judge(found, gate(), TASKS)
    assert unguarded.blessed
    gains = {row.task: row.change.mean for row in unguarded.table if row.noise == "mean"}
    assert gains["matching"] > 0.03 and gains["retrieval"] > 0.03
    guarded = gate(production={"slices": [{}, {"noise": "t", "kind": "v"}]})
    checks = failed(judge(found, guarded, TASKS), "production")
    assert {check.slice for check in checks} == {
        Slice("matching", "t", "v"),
        Slice("retrieval", "t", "v"),
    }
    assert checks[0].sentence == (
        "matching mAP (tough, viewpoint) is 5.00 below production; allowed: at most 1.00 below, "
        "missed by 4.00."
    )


def test_a_guarded_slice_may_have_a_delta_of_its_own():
    slices = [{}, {"noise": "t", "kind": "v", "delta": 0.06}]
    rule = {"mode": "point", "slices": slices}
    checks = failed(judge(worse_on_tough_viewpoint(0.05), gate(production=rule), TASKS),
                    "production")  # fmt: skip
    assert {check.metric for check in checks} == {"p"}  # within delta, but certainly worse
    (point,) = [
        check
        for check in judge(worse_on_tough_viewpoint(0.05), gate(production=rule), TASKS).checks
        if check.slice == Slice("matching", "t", "v") and check.metric == "ap_tie_safe"
    ]
    assert point.passed and point.threshold == -0.06
    assert failed(judge(worse_on_tough_viewpoint(0.07), gate(production=rule), TASKS), "production")


def test_margins_over_the_baselines_can_be_asked_of_a_noise_level_and_kind():
    def candidate(task, noise, kind, source):
        return level(0.6 if kind == "i" else 0.5)(task, noise, kind, source)

    part = {"noise": "t", "kind": "v", "margin": 0.06}
    checks = failed(
        judge(evidence(candidate), gate(baseline={"slices": [part]}), TASKS), "baseline"
    )
    assert {check.slice for check in checks} == {
        Slice("matching", "t", "v"),
        Slice("retrieval", "t", "v"),
    }
    assert checks[0].value == pytest.approx(0.05)
    assert checks[0].sentence.startswith("matching mAP (tough, viewpoint) is ")
    assert ", 5.00 above rootsift-smoothed (" in checks[0].sentence
    fair = {"slices": [part | {"margin": 0.04}, part | {"kind": "i", "margin": 0.14}]}
    assert judge(evidence(candidate), gate(baseline=fair), TASKS).blessed


def test_a_margin_can_be_asked_over_one_named_baseline_and_of_one_task():
    found = evidence(level(0.5))
    found = dataclasses.replace(found, baselines={**found.baselines, "pixels": table(level(0.3))})
    rule = {"slices": [{"over": "pixels", "task": "retrieval", "margin": 0.25}]}
    (check,) = failed(judge(found, gate(baseline=rule), TASKS), "baseline")
    assert check.slice == Slice("retrieval")
    assert check.value == pytest.approx(0.2)
    assert ", 20.00 above pixels (" in check.sentence
    assert judge(
        found, gate(baseline={"slices": [rule["slices"][0] | {"margin": 0.15}]}), TASKS
    ).blessed


def test_the_verdict_states_how_often_it_refuses_models_that_are_as_good():
    verdict = judge(evidence(level(0.6, wobble=0.001), level(0.6)), gate(), TASKS)
    assert 0.02 < verdict.production.refused_if_equal < 0.06
    assert any("exactly as good as production" in note for note in verdict.notes)
    few = judge(evidence(level(0.6, wobble=0.001), level(0.6), sources=5), gate(), TASKS)
    assert math.isnan(few.production.refused_if_equal)
    assert not any("exactly as good" in note for note in few.notes)


def test_the_identical_model_passes_the_comparison_but_not_a_floor():
    found = evidence(level(0.6), production_state=Production("identical", "abc"))
    verdict = judge(found, gate(), TASKS)
    assert verdict.blessed
    assert any("identical" in check.sentence for check in verdict.checks)
    assert verdict.table[0].production == verdict.table[0].candidate
    floor = gate(floors=[{"task": "matching", "at_least": 0.9}])
    assert failed(judge(found, floor, TASKS), "floor")


def test_production_without_rows_or_on_other_units_refuses():
    absent = evidence(level(0.6), production_state=COMPARED)
    assert failed(judge(absent, gate(), TASKS), "production")
    other = dataclasses.replace(absent, production=table(level(0.6), sources=11))
    (check,) = failed(judge(other, gate(), TASKS), "production")
    assert "not scored on the candidate's units" in check.sentence


@pytest.mark.parametrize("part", [("matching", "h"), ("retrieval", "e"), ("verification", "t")])
def test_a_single_nan_refuses(part):
    def score(task, noise, kind, source):
        return math.nan if (task, noise) == part and source == 0 else 0.9

    verdict = judge(evidence(score), gate(), TASKS)
    assert not verdict.blessed
    assert any(part[0] in reason and "no finite" in reason for reason in verdict.reasons)


def test_nan_in_production_refuses():
    def score(task, noise, kind, source):
        return math.nan if source == 3 else 0.6

    verdict = judge(evidence(level(0.6), score), gate(), TASKS)
    assert failed(verdict, "production")


@pytest.mark.parametrize("mode", ["lower_bound", "point"])
def test_nan_never_passes_a_comparison_with_production(mode):
    verdict = judge(evidence(math.nan, 0.6), gate(production={"mode": mode}), TASKS)
    checks = [check for check in verdict.checks if check.name == "production"]
    assert checks and not any(check.passed for check in checks)


def test_a_missing_task_noise_or_metric_refuses():
    rows = table(0.9).rows
    without_task = UnitTable([row for row in rows if row.task != "retrieval"])
    without_noise = UnitTable([row for row in rows if (row.task, row.noise) != ("matching", "h")])
    without_metric = UnitTable([dataclasses.replace(row, metrics={"ap": 0.9}) for row in rows])
    for candidate in (without_task, without_noise, without_metric):
        found = dataclasses.replace(evidence(0.9), candidate=candidate)
        assert failed(judge(found, gate(), TASKS), "evaluation")


def test_checks_made_elsewhere_can_refuse():
    broken = Check("degeneracy", False, "All descriptors are equal.")
    verdict = judge(evidence(level(0.6), other_checks=(broken,)), gate(), TASKS)
    assert verdict.reasons == ("All descriptors are equal.",)


def test_the_table_has_every_task_and_noise_with_intervals_and_the_others():
    verdict = judge(evidence(level(0.6), level(0.5)), gate(), TASKS)
    cells = {(row.task, row.noise): row for row in verdict.table}
    assert len(verdict.table) == 12
    row = cells["matching", "t"]
    assert row.low < row.candidate < row.high
    assert row.sources == 12
    assert row.baselines["rootsift"] == pytest.approx(row.candidate - 0.2)
    assert row.production == pytest.approx(row.candidate - 0.1)
    assert row.change.mean == pytest.approx(0.1)
    verification = cells["verification", "mean"]
    assert verification.sources == 12
    assert verification.low < verification.candidate < verification.high
    assert verification.change.low < 0.1 + 1e-9 and verification.change.high > 0.1 - 1e-9


def test_verification_without_known_influences_has_no_interval_but_is_judged():
    rows = [dataclasses.replace(row, without={}) for row in table(level(0.6)).rows]
    found = dataclasses.replace(evidence(level(0.6)), candidate=UnitTable(rows))
    verdict = judge(found, gate(), TASKS)
    (row,) = [row for row in verdict.table if (row.task, row.noise) == ("verification", "mean")]
    assert row.sources == 0 and math.isnan(row.low)
    assert verdict.blessed


def test_intervals_end_where_precision_does():
    verdict = judge(evidence(level(0.9, spread=0.3), sources=3), gate(), TASKS)
    assert all(0.0 <= row.low < row.high <= 1.0 for row in verdict.table)


def test_the_refusal_says_by_how_much_a_threshold_is_missed():
    (check,) = failed(
        judge(evidence(level(0.4397)), gate(baseline={"margins": {"e": -0.01}}), TASKS), "baseline"
    )[:1]
    assert check.sentence.endswith("asked: at least -1.00, missed by 0.03.")
    close = judge(evidence(level(0.59 - 1e-6), level(0.6)), gate(), TASKS)
    assert failed(close, "production")[0].sentence.endswith(
        "1.00 below production; allowed: at most 1.00 below, missed by 0.0001."
    )


def test_mean_of_the_table_is_the_flat_mean_over_units():
    rows = matching_rows(lambda task, noise, kind, source: 0.1 * source, sources=2)
    rows += matching_rows(lambda task, noise, kind, source: 0.7, sources=3, targets=5)[-30:]
    found = Evidence(UnitTable(rows), {}, candidate_checksum="c")
    verdict = judge(found, gate(baseline=None), ("matching",))
    expected = np.mean([row.metrics["ap"] for row in rows])
    assert verdict.table[-1].candidate == pytest.approx(expected)


def retrained(candidate, production, settings, sources):
    """Whether the comparison with production refuses, on matching rows alone."""
    ours, theirs = (
        UnitTable(matching_rows(score, sources, 1)) for score in (candidate, production)
    )
    checks = production_checks(ours, theirs, COMPARED, settings)
    return not all(check.passed for check in checks)


def test_equally_good_retrainings_are_refused_about_as_often_as_the_level_says():
    rule = {"mode": "point", "delta": 0.2, "tasks": ["matching"]}
    settings = gate(production=rule, baseline=None)
    refused = sum(
        retrained(
            level(0.6, wobble=0.01, seed=2 * trial),
            level(0.6, wobble=0.01, seed=2 * trial + 1),
            settings,
            sources=12,
        )
        for trial in range(200)
    )
    assert refused <= 18  # nominal 10, standard error 3.1


@pytest.mark.parametrize("mode", ["lower_bound", "point"])
def test_a_loss_of_twice_delta_is_refused(mode):
    settings = gate(production={"mode": mode, "tasks": ["matching"]}, baseline=None)
    refused = sum(
        retrained(
            level(0.58, wobble=0.02, seed=2 * trial),
            level(0.6, wobble=0.02, seed=2 * trial + 1),
            settings,
            sources=40,
        )
        for trial in range(50)
    )
    assert refused >= 40


def test_a_loss_of_exactly_delta_passes_the_lower_bound_at_most_about_as_often_as_it_says():
    settings = gate(production={"tasks": ["matching"]}, baseline=None)
    passed = sum(
        not retrained(
            level(0.59, wobble=0.01, seed=2 * trial),
            level(0.6, wobble=0.01, seed=2 * trial + 1),
            settings,
            sources=20,
        )
        for trial in range(100)
    )
    assert passed <= 11  # nominal 5, standard error 2.2

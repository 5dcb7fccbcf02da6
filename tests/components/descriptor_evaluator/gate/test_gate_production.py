"""The comparison with production; how often it errs is simulated in tests/benchmarks."""

import dataclasses
import math

import pytest

from components.descriptor_evaluator.gate.decision import judge
from components.descriptor_evaluator.gate.verdict import Production
from components.descriptor_evaluator.protocol.scores import Slice
from tests.components.descriptor_evaluator.gate.score_samples import (
    COMPARED,
    TASKS,
    evidence,
    failed,
    gate,
    level,
    table,
)


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

    def candidate(task, noise, kind, scene):
        return production(task, noise, kind, scene) + (0.06 if scene % 2 else -0.04)

    assert failed(judge(evidence(candidate, production), gate(), TASKS), "production")
    point = gate(production={"mode": "point"})
    assert judge(evidence(candidate, production), point, TASKS).blessed


def test_few_scenes_refuse_in_mode_lower_bound_and_are_named_in_mode_point():
    found = evidence(level(0.6), level(0.5), scenes=5)
    checks = failed(judge(found, gate(), TASKS), "production")
    assert checks and all("5 scenes are too few" in check.sentence for check in checks)
    verdict = judge(found, gate(production={"mode": "point"}), TASKS)
    assert verdict.blessed
    assert any("too few to test" in check.sentence for check in verdict.checks)
    assert any("5 scenes" in note for note in verdict.notes)


def test_point_mode_still_refuses_a_mean_below_delta():
    found = evidence(level(0.588), level(0.6), scenes=5)
    checks = failed(judge(found, gate(production={"mode": "point"}), TASKS), "production")
    assert [check.value for check in checks] == pytest.approx([-0.012, -0.012])


def worse_on_tough_viewpoint(loss):
    production = level(0.5)

    def candidate(task, noise, kind, scene):
        change = -loss if (noise, kind) == ("t", "v") else 0.05
        return production(task, noise, kind, scene) + change

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


def test_the_verdict_states_how_often_it_refuses_models_that_are_as_good():
    verdict = judge(evidence(level(0.6, wobble=0.001), level(0.6)), gate(), TASKS)
    assert 0.02 < verdict.production.refused_if_equal < 0.06
    assert any("exactly as good as production" in note for note in verdict.notes)
    few = judge(evidence(level(0.6, wobble=0.001), level(0.6), scenes=5), gate(), TASKS)
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
    other = dataclasses.replace(absent, production=table(level(0.6), scenes=11))
    (check,) = failed(judge(other, gate(), TASKS), "production")
    assert "not scored on the candidate's units" in check.sentence


def test_nan_in_production_refuses():
    def score(task, noise, kind, scene):
        return math.nan if scene == 3 else 0.6

    verdict = judge(evidence(level(0.6), score), gate(), TASKS)
    assert failed(verdict, "production")


@pytest.mark.parametrize("mode", ["lower_bound", "point"])
def test_nan_never_passes_a_comparison_with_production(mode):
    verdict = judge(evidence(math.nan, 0.6), gate(production={"mode": mode}), TASKS)
    checks = [check for check in verdict.checks if check.name == "production"]
    assert checks and not any(check.passed for check in checks)

"""The comparison with production; how often it errs is simulated in tests/benchmarks."""

import dataclasses
import math

import pytest

from components.descriptor_evaluator.gate.verdict import Production
from components.descriptor_evaluator.protocol.scores import Slice
from tests.components.descriptor_evaluator.gate.score_samples import (
    COMPARED,
    evidence,
    failed,
    judged,
    level,
    table,
)


def test_an_equal_model_is_not_worse_than_production():
    verdict = judged(evidence(level(0.6), level(0.6)))
    assert verdict.blessed
    assert {check.metric for check in verdict.checks if check.name == "production"} == {
        "ap_tie_safe",
        "p",
    }


def test_a_loss_beyond_delta_is_refused_by_means_bound_and_significance():
    verdict = judged(evidence(level(0.58), level(0.6, wobble=0.001)))
    checks = failed(verdict, "production")
    assert len(checks) == 6  # two tasks, three rules
    assert checks[0].value == pytest.approx(-0.02, abs=0.002)
    assert "below production; allowed: at most 1.00 below" in checks[0].sentence


def test_a_small_but_certain_loss_is_significantly_worse_though_within_delta():
    verdict = judged(evidence(level(0.595, wobble=0.001), level(0.6)))
    checks = failed(verdict, "production")
    assert checks and {check.metric for check in checks} == {"p"}
    assert "significantly worse" in checks[0].sentence


def test_an_uncertain_difference_is_refused_by_the_bound_but_not_by_the_means():
    production = level(0.6)

    def candidate(task, noise, kind, scene):
        return production(task, noise, kind, scene) + (0.06 if scene % 2 else -0.04)

    assert failed(judged(evidence(candidate, production)), "production")
    assert judged(evidence(candidate, production), production={"mode": "point"}).blessed


def test_few_scenes_refuse_in_mode_lower_bound_and_are_named_in_mode_point():
    given = evidence(level(0.6), level(0.5), scenes=5)
    checks = failed(judged(given), "production")
    assert checks and all("5 scenes are too few" in check.sentence for check in checks)
    verdict = judged(given, production={"mode": "point"})
    assert verdict.blessed
    assert any("too few to test" in check.sentence for check in verdict.checks)
    assert any("5 scenes" in note for note in verdict.notes)


def test_point_mode_still_refuses_a_mean_below_delta():
    given = evidence(level(0.588), level(0.6), scenes=5)
    checks = failed(judged(given, production={"mode": "point"}), "production")
    assert [check.value for check in checks] == pytest.approx([-0.012, -0.012])


def worse_on_tough_viewpoint(loss):
    production = level(0.5)

    def candidate(task, noise, kind, scene):
        change = -loss if (noise, kind) == ("t", "v") else 0.05
        return production(task, noise, kind, scene) + change

    return evidence(candidate, production)


def test_a_loss_on_tough_viewpoint_is_refused_only_where_that_is_guarded():
    given = worse_on_tough_viewpoint(0.05)
    unguarded = judged(given)
    assert unguarded.blessed
    gains = {row.task: row.change.mean for row in unguarded.table if row.noise == "mean"}
    assert gains["matching"] > 0.03 and gains["retrieval"] > 0.03
    guarded = {"slices": [{}, {"noise": "t", "kind": "v"}]}
    checks = failed(judged(given, production=guarded), "production")
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
    checks = failed(judged(worse_on_tough_viewpoint(0.05), production=rule),
                    "production")  # fmt: skip
    assert {check.metric for check in checks} == {"p"}  # within delta, but certainly worse
    (point,) = [
        check
        for check in judged(worse_on_tough_viewpoint(0.05), production=rule).checks
        if check.slice == Slice("matching", "t", "v") and check.metric == "ap_tie_safe"
    ]
    assert point.passed and point.threshold == -0.06
    assert failed(judged(worse_on_tough_viewpoint(0.07), production=rule), "production")


def test_the_verdict_states_how_often_it_refuses_models_that_are_as_good():
    verdict = judged(evidence(level(0.6, wobble=0.001), level(0.6)))
    assert 0.02 < verdict.production.refused_if_equal < 0.06
    assert any("exactly as good as production" in note for note in verdict.notes)
    few = judged(evidence(level(0.6, wobble=0.001), level(0.6), scenes=5))
    assert math.isnan(few.production.refused_if_equal)
    assert not any("exactly as good" in note for note in few.notes)


def test_the_identical_model_passes_the_comparison_but_not_a_floor():
    given = evidence(level(0.6), production_state=Production("identical", "abc"))
    verdict = judged(given)
    assert verdict.blessed
    assert any("identical" in check.sentence for check in verdict.checks)
    assert verdict.table[0].production == verdict.table[0].candidate
    floors = [{"task": "matching", "at_least": 0.9}]
    assert failed(judged(given, floors=floors), "floor")


def test_production_without_rows_or_on_other_units_refuses():
    absent = evidence(level(0.6), production_state=COMPARED)
    assert failed(judged(absent), "production")
    other = dataclasses.replace(absent, production=table(level(0.6), scenes=11))
    (check,) = failed(judged(other), "production")
    assert "not scored on the candidate's units" in check.sentence


def test_nan_in_production_refuses():
    def score(task, noise, kind, scene):
        return math.nan if scene == 3 else 0.6

    verdict = judged(evidence(level(0.6), score))
    assert failed(verdict, "production")


@pytest.mark.parametrize("mode", ["lower_bound", "point"])
def test_nan_never_passes_a_comparison_with_production(mode):
    verdict = judged(evidence(math.nan, 0.6), production={"mode": mode})
    checks = [check for check in verdict.checks if check.name == "production"]
    assert checks and not any(check.passed for check in checks)

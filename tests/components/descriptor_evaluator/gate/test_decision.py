"""Floors, baselines and completeness; `test_gate_production` compares with production."""

import dataclasses
import math

import numpy as np
import pytest

from components.descriptor_evaluator.gate.decision import Evidence, judge
from components.descriptor_evaluator.protocol.scores import Slice
from components.descriptor_evaluator.statistics import degeneracy
from components.descriptor_evaluator.statistics.score_table import ScoreTable
from tests.components.descriptor_evaluator.gate.score_samples import (
    evidence,
    failed,
    gate,
    judged,
    level,
    matching_rows,
    table,
)


def test_a_good_first_model_is_blessed_and_production_is_recorded_as_absent():
    verdict = judged(evidence(level(0.6)))
    assert verdict.blessed
    assert verdict.reasons == ()
    (check,) = [check for check in verdict.checks if check.name == "production"]
    assert "no production model yet" in check.sentence


def test_a_floor_that_is_missed_says_which_slice_and_by_how_much():
    floors = [{"task": "matching", "noise": "t", "kind": "v", "at_least": 0.5}]
    verdict = judged(evidence(0.4625), floors=floors, baseline=None)
    (check,) = failed(verdict, "floor")
    assert check.slice == Slice("matching", "t", "v")
    assert check.value == pytest.approx(0.4625)
    assert check.margin == pytest.approx(-0.0375)
    assert check.sentence == (
        "matching mAP (tough, viewpoint) is 46.25, 3.75 below the floor of 50.00."
    )
    assert verdict.reasons == (check.sentence,)


def test_a_value_exactly_on_the_floor_passes():
    floors = [{"task": "matching", "at_least": 0.7}]
    assert judged(evidence(0.7), floors=floors, baseline=None).blessed
    assert not judged(evidence(0.6999), floors=floors, baseline=None).blessed


def test_a_floor_on_another_metric_looks_at_that_metric():
    floors = [{"task": "matching", "metric": "success_rate", "at_least": 0.6}]
    (check,) = failed(judged(evidence(0.9), floors=floors), "floor")
    assert check.value == 0.5


def with_ties(reference, tie_safe):
    """A candidate whose distances tie: what the reference makes of them, and what is left."""
    sides = {"": reference, "_tie_safe": tie_safe}
    names = {"matching": ("success_rate",), "retrieval": ("ap@100",)}
    rows = [
        dataclasses.replace(
            row,
            metrics=dict(row.metrics)
            | {f"{n}{end}": v for n in names.get(row.task, ()) for end, v in sides.items()},
        )
        for row in table(0.9).rows
    ]
    return dataclasses.replace(evidence(0.9), candidate=ScoreTable(rows))


@pytest.mark.parametrize(
    ("task", "metric", "words"),
    [("retrieval", "ap@100", "mAP at pool size 100"), ("matching", "success_rate", "success rate")],
)
def test_a_floor_on_any_metric_counts_ties_against_the_model(task, metric, words):
    floors = [{"task": task, "metric": metric, "at_least": 0.3}]
    tied = with_ties(1.0, 0.05)
    (check,) = failed(judged(tied, floors=floors), "floor")
    assert check.metric == f"{metric}_tie_safe"
    assert check.value == pytest.approx(0.05)
    assert check.sentence.startswith(f"{task} {words} (mean of the noise levels) is 5.00, ")
    assert not failed(judged(tied, floors=floors, metric="ap"), "floor")


def test_the_better_baseline_counts():
    verdict = judged(evidence(level(0.43)))
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
        return lambda task, noise, kind, scene: (
            bad(task, noise, kind, scene) - loss if noise == "e" else good(task, noise, kind, scene)
        )

    assert judged(evidence(score(0.009))).blessed
    checks = failed(judged(evidence(score(0.012))), "baseline")
    assert {check.slice.noise for check in checks} == {"e"}


def test_a_demanded_margin_over_the_baseline_is_demanded():
    rule = {"margins": {"mean": 0.06}}
    assert judged(evidence(level(0.5105)), baseline=rule).blessed
    assert not judged(evidence(level(0.5095)), baseline=rule).blessed


def test_a_baseline_that_was_not_scored_refuses():
    alone = dataclasses.replace(evidence(level(0.6)), baselines={})
    checks = failed(judged(alone), "baseline")
    assert checks and all("not scored" in check.sentence for check in checks)


def test_margins_over_the_baselines_can_be_asked_of_a_noise_level_and_kind():
    def candidate(task, noise, kind, scene):
        return level(0.6 if kind == "i" else 0.5)(task, noise, kind, scene)

    part = {"noise": "t", "kind": "v", "margin": 0.06}
    checks = failed(judged(evidence(candidate), baseline={"slices": [part]}), "baseline")
    assert {check.slice for check in checks} == {
        Slice("matching", "t", "v"),
        Slice("retrieval", "t", "v"),
    }
    assert checks[0].value == pytest.approx(0.05)
    assert checks[0].sentence.startswith("matching mAP (tough, viewpoint) is ")
    assert ", 5.00 above rootsift-smoothed (" in checks[0].sentence
    fair = {"slices": [part | {"margin": 0.04}, part | {"kind": "i", "margin": 0.14}]}
    assert judged(evidence(candidate), baseline=fair).blessed


def test_a_margin_can_be_asked_over_one_named_baseline_and_of_one_task():
    given = evidence(level(0.5))
    given = dataclasses.replace(given, baselines={**given.baselines, "pixels": table(level(0.3))})
    rule = {"slices": [{"over": "pixels", "task": "retrieval", "margin": 0.25}]}
    (check,) = failed(judged(given, baseline=rule), "baseline")
    assert check.slice == Slice("retrieval")
    assert check.value == pytest.approx(0.2)
    assert ", 20.00 above pixels (" in check.sentence
    assert judged(given, baseline={"slices": [rule["slices"][0] | {"margin": 0.15}]}).blessed


@pytest.mark.parametrize("part", [("matching", "h"), ("retrieval", "e"), ("verification", "t")])
def test_a_single_nan_refuses(part):
    def score(task, noise, kind, scene):
        return math.nan if (task, noise) == part and scene == 0 else 0.9

    verdict = judged(evidence(score))
    assert not verdict.blessed
    assert any(part[0] in reason and "no finite" in reason for reason in verdict.reasons)


def test_a_missing_task_noise_or_metric_refuses():
    rows = table(0.9).rows
    without_task = ScoreTable([row for row in rows if row.task != "retrieval"])
    without_noise = ScoreTable([row for row in rows if (row.task, row.noise) != ("matching", "h")])
    without_metric = ScoreTable([dataclasses.replace(row, metrics={"ap": 0.9}) for row in rows])
    for candidate in (without_task, without_noise, without_metric):
        given = dataclasses.replace(evidence(0.9), candidate=candidate)
        assert failed(judged(given), "evaluation")


def test_descriptors_that_are_degenerate_or_not_examined_are_refused():
    equal = degeneracy.measure({"i_one": np.ones((16, 9, 4), np.float32)})
    (check,) = failed(judged(evidence(level(0.6), degeneracy=equal)), "degeneracy")
    assert check.sentence.startswith("The descriptors are degenerate: ")
    (check,) = failed(judged(evidence(level(0.6), degeneracy=None)), "degeneracy")
    assert check.sentence == "The descriptors were not examined for degeneracy."
    assert not failed(judged(evidence(level(0.6))), "degeneracy")


def test_a_model_that_was_trained_on_what_it_is_scored_on_is_refused():
    verdict = judged(evidence(level(0.6), leak="It was trained on v_a."))
    assert not verdict.blessed
    assert verdict.reasons == ("It was trained on v_a.",)


def test_the_table_has_every_task_and_noise_with_intervals_and_the_others():
    verdict = judged(evidence(level(0.6), level(0.5)))
    cells = {(row.task, row.noise): row for row in verdict.table}
    assert len(verdict.table) == 12
    row = cells["matching", "t"]
    assert row.low < row.candidate < row.high
    assert row.scenes == 12
    assert row.baselines["rootsift"] == pytest.approx(row.candidate - 0.2)
    assert row.production == pytest.approx(row.candidate - 0.1)
    assert row.change.mean == pytest.approx(0.1)
    verification = cells["verification", "mean"]
    assert verification.scenes == 12
    assert verification.low < verification.candidate < verification.high
    assert verification.change.low < 0.1 + 1e-9 and verification.change.high > 0.1 - 1e-9


def test_verification_without_known_influences_has_no_interval_but_is_judged():
    rows = [dataclasses.replace(row, without={}) for row in table(level(0.6)).rows]
    verdict = judged(dataclasses.replace(evidence(level(0.6)), candidate=ScoreTable(rows)))
    (row,) = [row for row in verdict.table if (row.task, row.noise) == ("verification", "mean")]
    assert row.scenes == 0 and math.isnan(row.low)
    assert verdict.blessed


def test_intervals_end_where_precision_does():
    verdict = judged(evidence(level(0.9, spread=0.3), scenes=3))
    assert all(0.0 <= row.low < row.high <= 1.0 for row in verdict.table)


def test_the_refusal_says_by_how_much_a_threshold_is_missed():
    (check,) = failed(
        judged(evidence(level(0.4397)), baseline={"margins": {"e": -0.01}}), "baseline"
    )[:1]
    assert check.sentence.endswith("asked: at least -1.00, missed by 0.03.")
    close = judged(evidence(level(0.59 - 1e-6), level(0.6)))
    assert failed(close, "production")[0].sentence.endswith(
        "1.00 below production; allowed: at most 1.00 below, missed by 0.0001."
    )


def test_mean_of_the_table_is_the_flat_mean_over_units():
    rows = matching_rows(lambda task, noise, kind, scene: 0.1 * scene, scenes=2)
    rows += matching_rows(lambda task, noise, kind, scene: 0.7, scenes=3, targets=5)[-30:]
    given = Evidence(ScoreTable(rows), {}, candidate_checksum="c")
    verdict = judge(given, gate(baseline=None), ("matching",))
    expected = np.mean([row.metrics["ap"] for row in rows])
    assert verdict.table[-1].candidate == pytest.approx(expected)

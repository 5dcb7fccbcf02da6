"""Two descriptors on the same units."""

import dataclasses
import json
import math

import pytest

from components.descriptor_evaluator.statistics.compare import compare
from tests.components.descriptor_evaluator.gate import score_samples as samples
from trainer.core.errors import UserError


def rows(score, scenes=12):
    return list(samples.table(score, scenes).rows)


def slices(comparison):
    return {
        (item.slice.task, item.slice.noise, item.slice.kind): item for item in comparison.slices
    }


def test_a_clear_difference_is_called_better_and_the_mirrored_one_worse():
    strong, weak = rows(samples.level(0.6)), rows(samples.level(0.5))
    for first, second, sign, word in ((strong, weak, 1, "better"), (weak, strong, -1, "worse")):
        item = slices(compare(first, second))["matching", "", ""]
        assert item.difference == pytest.approx(sign * 0.1)
        assert item.low == pytest.approx(sign * 0.1) == item.high  # all scenes agree
        assert (item.finding, item.scenes) == (word, 12)


def test_no_difference_is_shown_between_models_that_only_wobble():
    first, second = (rows(samples.level(0.5, seed=seed, wobble=0.02)) for seed in (1, 2))
    comparison = compare(first, second)
    assert compare(first, second) == comparison
    for item in comparison.slices:
        assert item.finding == "no difference shown"
        assert item.low < 0 < item.high
        assert item.low < item.difference < item.high
        assert item.p >= 0.05


def test_every_noise_level_and_kind_has_its_slice():
    comparison = slices(compare(rows(0.5), rows(0.5)))
    assert len(comparison) == 4 + 12 + 12
    assert ("matching", "t", "v") in comparison
    assert ("retrieval", "", "i") in comparison
    assert ("verification", "h", "") in comparison
    only = [row for row in rows(0.5) if row.kind != "i"]  # one kind is not told twice
    assert {key[2] for key in slices(compare(only, only))} == {""}


def test_a_level_where_the_first_loses_is_seen_behind_a_better_mean():
    base = samples.level(0.5)

    def loses_on_tough(task, noise, kind, scene):
        return base(task, noise, kind, scene) + (-0.1 if noise == "t" else 0.1)

    comparison = slices(compare(rows(loses_on_tough), rows(base)))
    assert comparison["matching", "", ""].finding == "better"
    assert comparison["matching", "t", ""].finding == "worse"


def test_few_scenes_are_compared_but_nothing_is_called_better():
    comparison = compare(rows(0.6, scenes=7), rows(0.5, scenes=7))
    assert {item.finding for item in comparison.slices} == {"too few scenes"}
    assert all(math.isnan(item.p) for item in comparison.slices)
    assert comparison.slices[0].difference == pytest.approx(0.1)
    alone = compare(rows(0.6, 1), rows(0.5, 1))  # one scene has no interval
    assert math.isnan(alone.slices[0].low) and math.isnan(alone.slices[0].high)
    content = json.loads(json.dumps(alone.as_json(), allow_nan=False))
    assert content["slices"][0]["low"] is None


def test_sequences_stand_by_falling_difference():
    def first(task, noise, kind, scene):
        return 0.5 + 0.01 * scene if kind == "i" else 0.5 - 0.01 * scene

    comparison = compare(rows(first, 9), rows(0.5, 9)).sequences
    assert len(comparison) == 18
    assert (comparison[0].sequence, comparison[-1].sequence) == ("i_08", "v_08")
    assert comparison[0].difference == pytest.approx(0.08)
    assert [item.difference for item in comparison] == sorted(
        (item.difference for item in comparison), reverse=True
    )


def test_the_summary_names_both_and_every_task():
    comparison = compare(rows(0.6), rows(0.5), ("new", "old"))
    assert comparison.summary.startswith("new against old: verification mAP 10.0 above")
    assert comparison.summary.count("significantly") == 3


@pytest.mark.parametrize("scenes", [11, 13])
def test_other_units_are_refused(scenes):
    with pytest.raises(UserError, match="different units"):
        compare(rows(0.5), rows(0.5, scenes))


def with_metrics(given, **metrics):
    return [dataclasses.replace(row, metrics={**row.metrics, **metrics}) for row in given]


def test_ties_gain_nothing_so_that_a_collapsed_model_is_not_called_better():
    collapsed = with_metrics(rows(0.1), ap=1.0)
    comparison = slices(compare(collapsed, rows(samples.level(0.5))))
    assert comparison["retrieval", "", ""].finding == "worse"


def test_problems_and_notes_are_handed_on_once():
    problems = (("the first has collapsed",), ())
    comparison = compare(rows(0.5), rows(0.5), problems=problems, notes=["one", "two", "one"])
    assert (comparison.problems, comparison.notes) == (problems, ("one", "two"))
    content = comparison.as_json()
    assert content["problems"] == {"first": ["the first has collapsed"], "second": []}
    assert content["metric"] == "ap_tie_safe"
    assert content["notes"] == ["one", "two"]


def test_a_level_that_is_nowhere_finite_is_told_and_leaves_the_rest():
    broken = [
        dataclasses.replace(row, metrics=dict.fromkeys(row.metrics, math.nan))
        if row.task == "matching" and row.sequence.startswith("v_0")
        else row
        for row in rows(0.6)
    ]
    comparison = compare(broken, rows(0.5))
    assert slices(comparison)["matching", "", ""].finding == "not finite"
    assert slices(comparison)["matching", "", "i"].finding == "better"
    assert "matching mAP is not finite" in comparison.summary
    content = json.loads(json.dumps(comparison.as_json(), allow_nan=False))
    assert content["sequences"][-1]["first"] is None
    known = [item["first"] is not None for item in content["sequences"]]
    assert known == sorted(known, reverse=True)


def test_a_unit_twice_is_refused_by_the_name_of_its_result():
    twice = rows(0.5)
    with pytest.raises(UserError, match="old: two unit scores have the same key"):
        compare(twice, [*twice, twice[0]], ("new", "old"))

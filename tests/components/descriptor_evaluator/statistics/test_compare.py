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


def slices(found):
    return {(item.slice.task, item.slice.noise, item.slice.kind): item for item in found.slices}


def test_a_clear_difference_is_called_better_and_the_mirrored_one_worse():
    strong, weak = rows(samples.level(0.6)), rows(samples.level(0.5))
    for first, second, sign, word in ((strong, weak, 1, "better"), (weak, strong, -1, "worse")):
        item = slices(compare(first, second))["matching", "", ""]
        assert item.difference == pytest.approx(sign * 0.1)
        assert item.low == pytest.approx(sign * 0.1) == item.high  # all scenes agree
        assert (item.finding, item.scenes) == (word, 12)


def test_no_difference_is_shown_between_models_that_only_wobble():
    first, second = (rows(samples.level(0.5, seed=seed, wobble=0.02)) for seed in (1, 2))
    found = compare(first, second)
    for item in found.slices:
        assert item.finding == "no difference shown"
        assert item.low < 0 < item.high
        assert item.low < item.difference < item.high
        assert item.p >= 0.05


def test_every_noise_level_and_kind_has_its_slice():
    found = slices(compare(rows(0.5), rows(0.5)))
    assert len(found) == 4 + 12 + 12
    assert ("matching", "t", "v") in found
    assert ("retrieval", "", "i") in found
    assert ("verification", "h", "") in found


def test_one_kind_alone_is_not_told_twice():
    only = [row for row in rows(0.5) if row.kind != "i"]
    assert {key[2] for key in slices(compare(only, only))} == {""}


def test_a_level_where_the_first_loses_is_seen_behind_a_better_mean():
    base = samples.level(0.5)

    def loses_on_tough(task, noise, kind, scene):
        return base(task, noise, kind, scene) + (-0.1 if noise == "t" else 0.1)

    found = slices(compare(rows(loses_on_tough), rows(base)))
    assert found["matching", "", ""].finding == "better"
    assert found["matching", "t", ""].finding == "worse"


def test_few_scenes_are_compared_but_nothing_is_called_better():
    found = compare(rows(0.6, scenes=7), rows(0.5, scenes=7))
    assert {item.finding for item in found.slices} == {"too few scenes"}
    assert all(math.isnan(item.p) for item in found.slices)
    assert found.slices[0].difference == pytest.approx(0.1)


def test_one_scene_has_no_interval():
    item = compare(rows(0.6, scenes=1), rows(0.5, scenes=1)).slices[0]
    assert math.isnan(item.low)
    assert math.isnan(item.high)


def test_sequences_stand_by_falling_difference():
    def first(task, noise, kind, scene):
        return 0.5 + 0.01 * scene if kind == "i" else 0.5 - 0.01 * scene

    found = compare(rows(first, 9), rows(0.5, 9)).sequences
    assert len(found) == 18
    assert (found[0].sequence, found[-1].sequence) == ("i_08", "v_08")
    assert found[0].difference == pytest.approx(0.08)
    assert [item.difference for item in found] == sorted(
        (item.difference for item in found), reverse=True
    )


def test_the_summary_names_both_and_every_task():
    found = compare(rows(0.6), rows(0.5), ("new", "old"))
    assert found.summary.startswith("new against old: verification mAP 10.0 above")
    assert found.summary.count("significantly") == 3


def test_the_json_has_no_nan():
    content = json.dumps(compare(rows(0.6, 1), rows(0.5, 1)).as_json(), allow_nan=False)
    assert json.loads(content)["slices"][0]["low"] is None


@pytest.mark.parametrize("scenes", [11, 13])
def test_other_units_are_refused(scenes):
    with pytest.raises(UserError, match="different units"):
        compare(rows(0.5), rows(0.5, scenes))


def test_equal_scores_give_equal_intervals():
    first, second = (rows(samples.level(0.5, seed=seed, wobble=0.05)) for seed in (1, 2))
    assert compare(first, second) == compare(first, second)


def with_metrics(given, **metrics):
    return [dataclasses.replace(row, metrics={**row.metrics, **metrics}) for row in given]


def test_ties_gain_nothing_so_that_a_collapsed_model_is_not_called_better():
    collapsed = with_metrics(rows(0.1), ap=1.0)
    found = slices(compare(collapsed, rows(samples.level(0.5))))
    assert found["retrieval", "", ""].finding == "worse"


def test_problems_and_notes_are_handed_on_once():
    problems = (("the first has collapsed",), ())
    found = compare(rows(0.5), rows(0.5), problems=problems, notes=["one", "two", "one"])
    assert (found.problems, found.notes) == (problems, ("one", "two"))
    content = found.as_json()
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
    found = compare(broken, rows(0.5))
    assert slices(found)["matching", "", ""].finding == "not finite"
    assert slices(found)["matching", "", "i"].finding == "better"
    assert "matching mAP cannot be told (not finite)" in found.summary
    content = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert content["sequences"][-1]["first"] is None
    known = [item["first"] is not None for item in content["sequences"]]
    assert known == sorted(known, reverse=True)


def test_a_unit_twice_is_refused_by_the_name_of_its_result():
    twice = rows(0.5)
    with pytest.raises(UserError, match="old: two unit scores have the same key"):
        compare(twice, [*twice, twice[0]], ("new", "old"))

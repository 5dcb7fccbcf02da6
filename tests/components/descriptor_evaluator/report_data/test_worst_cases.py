import numpy as np

from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.report_data import worst_cases
from tests.components.descriptor_evaluator.protocol.lines import (
    line,
    points,
    same_everywhere,
    tasks,
)


def test_the_surest_false_matches_come_first():
    values = same_everywhere(0.0, 10.0, 20.0)
    values[1] = line(1.0, 13.0, 12.5)  # e1: 10 is matched to 12.5 and 20 to 13
    cases = worst_cases.false_matches({"v_a": values})
    common = {"noise": "e", "sequence": "v_a", "target": 1}
    assert cases == [
        common | {"reference": 1, "wrong": 2, "distance": 2.5, "right_distance": 3.0},
        common | {"reference": 2, "wrong": 1, "distance": 7.0, "right_distance": 7.5},
    ]


def test_a_point_is_shown_once_and_an_image_sequence_twice():
    values = same_everywhere(0.0, 10.0, 20.0, 30.0)
    values[6:11] = line(10.0, 0.0, 30.0, 20.0)  # all wrong, in every hard image
    cases = worst_cases.false_matches({"v_a": values, "v_b": same_everywhere(0.0, 1.0)})
    assert [(item["noise"], item["reference"]) for item in cases] == [("h", 0), ("h", 1)]


def test_a_right_patch_that_is_not_finite_has_no_distance():
    values = same_everywhere(0.0, 10.0)
    values[1] = line(9.0, np.nan)
    assert worst_cases.false_matches({"v_a": values}) == []  # NaN is everybody's neighbour
    values[1] = line(np.inf, 9.0)
    cases = worst_cases.false_matches({"v_a": values})
    assert [item["right_distance"] for item in cases] == [None]


def test_retrieval_by_hand():
    query = same_everywhere(0.0)
    query[1:6, 0, 0] = [1, 2, 3, 4, 5]
    values = {"v_a": query, "v_b": same_everywhere(2.5, 0.5)}
    given = tasks(queries=points((0, 0)), distractors=points((1, 0), (1, 1)))
    rows = [UnitScore("retrieval", "e", "v", "v_a", "a", "0", {"ap_tie_safe": 0.61})]
    (row,) = worst_cases.retrieval_rows(values, given, rows)
    assert row["ranks"] == [2, 3, 5, 6, 7]
    assert row["ap"] == 0.61
    shown = [(e["sequence"], e["index"], e["variant"], e["right"]) for e in row["first"]]
    assert shown == [
        ("v_b", 1, "ref", False),
        ("v_a", 0, "e1", True),
        ("v_a", 0, "e2", True),
        ("v_b", 0, "ref", False),
        ("v_a", 0, "e3", True),
        ("v_a", 0, "e4", True),
    ]
    assert [e["distance"] for e in row["first"]] == [0.5, 1.0, 2.0, 2.5, 3.0, 4.0]


def test_equal_distractors_stand_first_and_a_lost_patch_has_no_rank():
    query = same_everywhere(0.0)
    query[1:6, 0, 0] = [2.5, np.nan, 3, 4, 5]
    values = {"v_a": query, "v_b": same_everywhere(2.5, 9.0)}
    given = tasks(queries=points((0, 0)), distractors=points((1, 0), (1, 1)))
    rows = [UnitScore("retrieval", "e", "v", "v_a", "a", "0", {"ap_tie_safe": 0.1})]
    (row,) = worst_cases.retrieval_rows(values, given, rows)
    assert row["ranks"] == [2, None, 3, 4, 5]


def test_queries_of_one_image_sequence_do_not_fill_the_list():
    rows = [
        UnitScore("retrieval", "t", "v", "v_b", "b", str(number), {"ap_tie_safe": number / 10})
        for number in range(2)
    ]
    rows += [UnitScore("retrieval", "t", "v", "v_b", "b", "2", {"ap_tie_safe": 0.05})]
    rows += [UnitScore("retrieval", "t", "v", "v_a", "a", "0", {"ap_tie_safe": 0.9})]
    values = {"v_a": same_everywhere(0.0), "v_b": same_everywhere(2.0, 3.0, 4.0)}
    given = tasks(
        queries=points((1, 0), (1, 1), (1, 2), (0, 0)), distractors=points((0, 0), (1, 0))
    )
    cases = worst_cases.retrieval_rows(values, given, rows)
    assert [(item["sequence"], item["index"]) for item in cases] == [
        ("v_b", 0), ("v_b", 2), ("v_a", 0),
    ]  # fmt: skip


def test_without_queries_there_are_no_rows():
    assert worst_cases.retrieval_rows({}, tasks(), []) == []

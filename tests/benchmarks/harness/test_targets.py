"""Figures that miss their target fail the benchmark."""

import math

import pytest
from rich.table import Table

from benchmarks.evaluator import describing, evaluation_scale
from benchmarks.harness.targets import Figure, MissedError, held_to

FOUND = {
    "verification": {"wall": 30.0, "peak": 1000.0},
    "matching": {"wall": 20.0, "peak": 3.0 * 1024},
    "retrieval": {"wall": 10.0, "peak": 1200.0},
}
SLOW = {"verification": 500.0, "matching": 500.0, "retrieval": 500.0}


@pytest.mark.parametrize(
    ("value", "rule", "reached"),
    [
        (60.0, "at most", True),
        (60.1, "at most", False),
        (60.0, "at least", True),
        (59.9, "at least", False),
        (math.nan, "at most", False),
        (math.nan, "at least", False),
    ],
)
def test_a_bound_itself_is_reached_and_nan_is_not(value, rule, reached):
    assert Figure("f", value, rule, 60).reached is reached


def test_a_table_shows_figures_beside_targets_and_is_kept_when_one_is_missed():
    good, bad = Figure("time", 17.4, "at most", 60, "s"), Figure("ratio", 24, "at least", 25, "x")
    assert held_to(Table(), [good]).caption == "time: 17.4 s (target: at most 60 s)"
    table = Table()
    with pytest.raises(MissedError, match=r"^ratio: 24 x \(target: at least 25 x\)$") as missed:
        held_to(table, [good, bad])
    assert missed.value.table is table
    assert "17.4 s" in table.caption and "24 x" in table.caption


def test_scoring_at_its_bounds_reaches_all_its_targets():
    assert all(figure.reached for figure in evaluation_scale.targets_of(FOUND, SLOW))


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"wall": 20.1}, ["all three tasks", "against one at a time"]),
        ({"peak": 3080.0}, ["peak memory"]),
    ],
)
def test_scoring_that_takes_more_misses(change, missed):
    by_task = FOUND | {"matching": FOUND["matching"] | change}
    figures = evaluation_scale.targets_of(by_task, SLOW)
    assert [figure.name for figure in figures if not figure.reached] == missed


@pytest.mark.parametrize(("seconds", "reached"), [(1.05, True), (1.06, False)])
def test_describing_is_compared_with_the_better_bare_rate_round_by_round(seconds, reached):
    bare, slower = [1.0, 2.0, 4.0], [3.0, 6.0, 12.0]
    ours = [seconds * best for best in bare]
    wall = {"a": slower, "b": bare, describing.ARRAY: ours, "read and stored": slower}
    figure = describing.target_of(wall)
    assert figure.value == pytest.approx(1 / seconds)
    assert figure.reached is reached

"""The table and verdict at the end of a run."""

import dataclasses
import io
import math

import pytest
from rich.console import Console

from components.descriptor_evaluator.gate.verdict import Change, Check, TableRow, Verdict
from pipeline.terminal.report import Report, print_report

_ROW = TableRow(
    task="matching",
    noise="e",
    metric="ap",
    candidate=0.7123,
    low=0.65,
    high=0.777,
    scenes=5,
    baselines={"rootsift": 0.6, "rootsift-smoothed": 0.649},
    production=0.7,
    change=Change(0.0123, -0.01, 0.03),
)
_PASSED = Check("floor", True, "fine")
_FAILED = Check("baseline", False, "matching ap on tough is 0.30, 0.05 below rootsift's 0.35")


def shown(report: Report, width: int = 140) -> str:
    stream = io.StringIO()
    print_report(Console(file=stream, width=width, highlight=False), report)
    return stream.getvalue()


def test_a_row_shows_interval_baselines_production_and_change_in_per_cent():
    text = shown(Report(Verdict((_PASSED,), (_ROW,))))
    for part in ("easy", "mAP", "71.2", "65.0 .. 77.7", "60.0", "64.9", "70.0"):
        assert part in text, part
    assert "+1.2 (-1.0 .. +3.0)" in text


def test_what_is_missing_is_a_dash():
    row = TableRow("matching", "mean", "ap", 0.5, math.nan, math.nan, 1)
    text = shown(Report(Verdict((_PASSED,), (_ROW, row))))
    line = next(x for x in text.splitlines() if " mean " in x)
    assert line.split() == ["mAP", "mean", "50.0", "-", "-", "-", "-", "-"]


def test_without_a_production_model_nothing_is_compared():
    row = TableRow("matching", "mean", "ap", 0.5, 0.4, 0.6, 5)
    text = shown(Report(Verdict((_PASSED,), (row,))))
    assert "production" not in text
    assert "change" not in text


def test_the_title_says_over_how_many_scenes_the_intervals_are():
    few = TableRow("retrieval", "e", "ap", 0.5, 0.4, 0.6, 3)
    assert "; intervals over 5 scenes" in shown(Report(Verdict((_PASSED,), (_ROW,))))
    assert "; intervals over 3 to 5 scenes" in shown(Report(Verdict((_PASSED,), (_ROW, few))))


def test_the_differences_to_the_baselines_are_told_below_the_table():
    over = {"rootsift": Change(0.11, 0.09, 0.13), "pixels": Change(-0.02, math.nan, math.nan)}
    rows = [
        dataclasses.replace(_ROW, task=task, noise=noise, over_baselines=over)
        for task in ("matching", "retrieval")
        for noise in ("e", "mean")
    ]
    lines = shown(Report(Verdict((_PASSED,), tuple(rows))), 100).splitlines()
    difference = "+11.0 (+9.0 .. +13.0)"
    assert f"Model minus rootsift: matching {difference}, retrieval {difference}" in lines
    assert "Model minus pixels: matching -2.0, retrieval -2.0" in lines
    assert "Model minus" not in shown(Report(Verdict((_PASSED,), (_ROW,))))


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_row_of_the_table_is_one_line_on_any_usual_terminal(width):
    rows = [dataclasses.replace(_ROW, task=t) for t in ("verification", "matching", "retrieval")]
    lines = shown(Report(Verdict((_PASSED,), tuple(rows))), width).splitlines()
    assert sum("easy" in line and "65.0 .. 77.7" in line for line in lines) == 3
    assert all(len(line) <= width for line in lines)
    change = "+1.2" if width == 80 else "+1.2 (-1.0 .. +3.0)"
    assert sum(line.rstrip().endswith(change) for line in lines) == 3
    assert not any("…" in line for line in lines)


def test_a_blessed_and_pushed_model_is_told_with_its_place():
    text = shown(Report(Verdict((_PASSED,)), pushed=True, production_path="/serving/7"))
    assert "Blessed: all 1 checks passed." in text
    assert "Pushed: /serving/7" in text
    assert "Nothing pushed" not in text


def test_a_refused_model_is_told_with_every_reason_and_what_serves_on():
    report = Report(
        Verdict((_PASSED, _FAILED)),
        not_pushed_reason="the model was not blessed",
        production_path="/serving/6",
        candidate_path="/work/model/8",
    )
    text = shown(report)
    assert "Not blessed: 1 of 2 checks failed." in text
    assert f"  - {_FAILED.sentence}" in text
    assert "Nothing pushed (the model was not blessed)." in text
    assert "The refused model: /work/model/8" in text
    assert "In production: /serving/6" in text


def test_skipped_sequences_and_notes_are_listed():
    report = Report(
        Verdict((_PASSED,), notes=("3 scenes are too few",)),
        skipped=[("v_x", "e1.png is 64 wide")],
        remarks=["2 files are no photographs"],
    )
    text = shown(report)
    assert "Left out: v_x: e1.png is 64 wide" in text
    assert "Data: 2 files are no photographs" in text
    assert "3 scenes are too few" in text

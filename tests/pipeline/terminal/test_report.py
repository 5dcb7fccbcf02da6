"""The table and verdict at the end of a run."""

import io
import math

from rich.console import Console

from components.descriptor_evaluator.verdict import Change, Check, TableRow, Verdict
from pipeline.terminal.report import Report, print_report

_ROW = TableRow(
    task="matching",
    noise="e",
    metric="ap",
    candidate=0.7123,
    low=0.65,
    high=0.777,
    sources=5,
    baselines={"rootsift": 0.6, "rootsift-smoothed": 0.649},
    production=0.7,
    change=Change(0.0123, -0.01, 0.03),
)
_PASSED = Check("floor", True, "fine")
_FAILED = Check("baseline", False, "matching ap on tough is 0.30, 0.05 below rootsift's 0.35")


def shown(report: Report) -> str:
    stream = io.StringIO()
    print_report(Console(file=stream, width=140, highlight=False), report)
    return stream.getvalue()


def test_a_row_shows_interval_baselines_production_and_change_in_per_cent():
    text = shown(Report(Verdict((_PASSED,), (_ROW,))))
    for part in (
        "easy",
        "mAP",
        "71.2",
        "65.0 .. 77.7",
        "60.0",
        "64.9",
        "70.0",
        "+1.2 (-1.0 .. +3.0)",
    ):
        assert part in text, part


def test_what_is_missing_is_a_dash():
    row = TableRow("matching", "mean", "ap", 0.5, math.nan, math.nan, 1)
    text = shown(Report(Verdict((_PASSED,), (row,))))
    cells = [cell.strip() for cell in next(x for x in text.splitlines() if "mean" in x).split("│")]
    assert cells[1:-1] == ["matching", "mean", "mAP", "50.0", "-", "1", "-", "-"]


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
    )
    text = shown(report)
    assert "Not blessed: 1 of 2 checks failed." in text
    assert f"  - {_FAILED.sentence}" in text
    assert "Nothing pushed (the model was not blessed)." in text
    assert "In production: /serving/6" in text


def test_skipped_sequences_and_notes_are_listed():
    report = Report(
        Verdict((_PASSED,), notes=("3 sources are too few",)),
        skipped=[("v_x", "e1.png is 64 wide")],
    )
    text = shown(report)
    assert "Left out: v_x: e1.png is 64 wide" in text
    assert "3 sources are too few" in text

import math

import pytest

from components.descriptor_evaluator.gate.verdict import TableRow, Verdict
from components.evaluation_report.material import Material, NotShownError
from components.evaluation_report.sections import scores


def of(*rows):
    material = Material("evaluation")
    material.__dict__["verdict"] = Verdict((), rows)
    return scores.section(material)


def test_the_table_by_hand(run):
    section = scores.section(run)
    assert section["compared"] and section["scenes"] == "2 scenes"
    assert [look.label for look in section["legend"]] == [
        "this model", "production", "rootsift", "rootsift-smoothed",
    ]  # fmt: skip
    (table,) = section["tables"]
    assert (table["task"], table["metric"]) == ("matching", "mAP")
    assert [row["noise"] for row in table["rows"]] == ["easy", "hard", "tough", "mean"]
    first = table["rows"][0]
    assert first["candidate"] == "70.0" and first["interval"] == "60.0 to 80.0"
    assert first["others"] == [
        {"value": "71.2", "over": None},
        {"value": "65.0", "over": {"mean": "+5.0", "interval": "+3.1 to +6.9", "worse": False}},
        {"value": "81.0", "over": {"mean": "-11.0", "interval": "-13.1 to -10.9", "worse": True}},
    ]
    assert section["over"]
    assert first["change"] == {"mean": "-1.2", "interval": "-3.0 to +0.6", "worse": True}
    assert first["bar"] == pytest.approx([60, 20])
    assert dict(first["dots"]) == pytest.approx(
        {"candidate": 70, "production": 71.2, "rootsift": 65, "rootsift-smoothed": 81}
    )


def test_without_production_there_is_neither_column_nor_change():
    section = of(
        TableRow("matching", "e", "ap", 0.5, math.nan, math.nan, 0, {"rootsift": math.nan})
    )
    assert not section["compared"] and section["scenes"] == ""
    (row,) = section["tables"][0]["rows"]
    assert row["change"] is None and row["bar"] is None and row["interval"] == ""
    assert row["others"] == [{"value": "-", "over": None}] and not section["over"]
    assert row["dots"] == [("candidate", 50.0)]


def test_every_task_has_a_table_and_scenes_may_differ():
    rows = [
        TableRow(task, "e", "ap", 0.5, 0.4, 0.6, number)
        for number, task in enumerate(("matching", "retrieval"), 1)
    ]
    section = of(*rows)
    assert [table["task"] for table in section["tables"]] == ["matching", "retrieval"]
    assert section["scenes"] == "1 to 2 scenes"
    assert scores.scenes(rows[:1]) == "1 scene"


def test_a_model_that_was_not_scored_has_no_table():
    with pytest.raises(NotShownError, match="not scored"):
        of()

"""The scores that a pushed model's card tells."""

import dataclasses
import math

from components.descriptor_evaluator.gate import card_scores
from components.descriptor_evaluator.gate.verdict import Check, TableRow, Verdict
from components.descriptor_evaluator.protocol.task_tables import Tasks

TASKS = Tasks(
    origin="drawn with seed 0",
    names=("i_a", "v_b"),
    scenes=("a", "b"),
    kinds=("i", "v"),
    counts=(2, 2),
    groups=("a", "b"),
    pool_sizes=(),
)


def verdict(production: float, low: float = 0.4, scenes: int = 5) -> Verdict:
    baselines = {"rootsift": 0.3, "rootsift-smoothed": math.nan}
    values = (0.4714, low, low + 0.15, scenes, baselines, production)
    row = TableRow("matching", "e", "ap", *values)
    check = Check("floor", True, "Far above.")
    return Verdict(checks=(check,), table=(row,))


def told(of: Verdict) -> str:
    return card_scores.describe(of, TASKS, "123", "l2")


def test_scores_stand_with_their_intervals_beside_baselines_and_production():
    assert told(verdict(production=0.46)).splitlines() == [
        "## Scores",
        "",
        "Blessed: all 1 checks passed. In per cent, with 95 % intervals over 5 scenes, on image "
        "sequences that it was not trained on. `production` is the model that was served then.",
        "",
        "- Image sequences: i_a, v_b; checksum 123.",
        "- Tasks: drawn with seed 0; distance l2.",
        "",
        "| task | noise | this model | 95 % interval | rootsift | rootsift-smoothed | production |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| matching mAP | easy | 47.1 | 40.0 to 55.0 | 30.0 | - | 46.0 |",
    ]


def test_what_there_is_not_is_left_out():
    text = told(verdict(production=math.nan, low=math.nan, scenes=0))
    assert "production" not in text and "intervals" not in text
    assert "| matching mAP | easy | 47.1 |  | 30.0 | - |" in text


def test_of_a_refused_model_nothing_is_written(tmp_path):
    refused = dataclasses.replace(
        verdict(production=math.nan), checks=(Check("floor", False, "Below."),)
    )
    card_scores.write(refused, TASKS, {"data_checksum": "123", "distance": "l2"}, str(tmp_path))
    assert list(tmp_path.iterdir()) == []

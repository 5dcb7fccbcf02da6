"""The differences to the baselines in the gate's table of results."""

import math

import numpy as np
import pytest

from components.descriptor_evaluator.gate.decision import Evidence, result_table
from components.descriptor_evaluator.statistics.score_table import ScoreTable
from tests.components.descriptor_evaluator.gate.score_samples import (
    TASKS,
    level,
    matching_rows,
    table,
)


def cells(candidate, **baselines):
    rows = result_table(Evidence(candidate, baselines), TASKS)
    return {(row.task, row.noise): row for row in rows}


def test_every_row_has_the_paired_difference_to_every_baseline():
    near, far = table(level(0.58, wobble=0.01)), table(level(0.3), 12)
    rows = cells(table(level(0.6)), near=near, far=far)
    assert len(rows) == 12
    for row in rows.values():
        near, far = row.over_baselines["near"], row.over_baselines["far"]
        assert near.low < near.mean < near.high
        assert near.mean == pytest.approx(row.candidate - row.baselines["near"])
        # Paired: scenes differ by 0.05, the two differ by 0.01 about their mean.
        assert near.high - near.low < 0.5 * (row.high - row.low)
        assert far.mean == pytest.approx(row.candidate - row.baselines["far"])


def test_the_interval_over_three_scenes_is_students():
    ours = {0: 0.5, 1: 0.6, 2: 0.7}
    theirs = {0: 0.4, 1: 0.4, 2: 0.4}

    def rows(values):
        return ScoreTable(matching_rows(lambda task, noise, kind, scene: values[scene], 3))

    row = cells(rows(ours), other=rows(theirs))["matching", "mean"]
    change = row.over_baselines["other"]
    reach = 4.302653 * np.std([0.1, 0.2, 0.3], ddof=1) / math.sqrt(3)
    assert (change.low, change.high) == pytest.approx((0.2 - reach, 0.2 + reach), abs=1e-6)


def test_a_baseline_of_other_units_has_a_value_and_no_difference():
    row = cells(table(level(0.6), 12), other=table(level(0.5), 11))["matching", "mean"]
    assert row.baselines["other"] < row.candidate
    assert row.over_baselines == {}


def test_one_scene_has_a_difference_and_no_interval():
    row = cells(table(level(0.6), 1), other=table(level(0.5), 1))["matching", "mean"]
    change = row.over_baselines["other"]
    assert change.mean == pytest.approx(0.1)
    assert math.isnan(change.low) and math.isnan(change.high)

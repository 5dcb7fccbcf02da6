"""Thresholds on what does not exist are refused with the configuration, not after training."""

import numpy as np
import pytest

from components.descriptor_evaluator.descriptors.csv_tree import write_sequence
from tests.pipeline.commands.bad_data import (
    MATCHING_ALONE,
    NAMES,
    POINTS,
    RUN_STRIPS,
    assert_refused,
    hpatches,
    release,
)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("floors=[{task: matching, metric: auc, at_least: 0.3}]", "matching has no metric 'auc'"),
        ("floors=[{task: matching, metric: [ap], at_least: 0.3}]", "floors.0.metric: found"),
        ("floors=[{task: matching, sequence: v_wall, at_least: 0.3}]", "sequence: unknown key"),
        ("production.slices=[{noise: tough}]", 'slices.0.noise: found "tough"'),
        ("production.slices=[{kind: v, delta: 2}]", "slices.0.delta: found 2, expected at most"),
        ("production.tasks=[tracking]", 'production.tasks.0: found "tracking"'),
        ("baseline.slices=[{kind: x, margin: 0}]", 'slices.0.kind: found "x"'),
        ("baseline.slices=[{kind: v}]", "slices.0.margin: the key is missing"),
        ("baseline.slices=[{task: verification, kind: v, margin: 0}]", "have no kind"),
        ("baseline.margins={tough: 0}", "expected 'mean', 'e', 'h' or 't'"),
        ("baseline.names=[]", "expected at least 1"),
        ("metric=auc", 'gate.metric: found "auc"'),
    ],
)
def test_config_check_refuses_a_threshold_on_something_unknown(setting, sentence):
    result = hpatches("config", "check", "--set", f"evaluation.gate.{setting}")
    assert result.exit_code == 2
    (told,) = result.stderr.splitlines()
    assert "evaluation.gate." in told and sentence in told


def test_config_check_accepts_thresholds_on_parts_of_the_data():
    settings = (
        "floors=[{task: retrieval, metric: ap@500, noise: t, kind: v, at_least: 0.3}]",
        "production.slices=[{}, {noise: t, kind: v, delta: 0.02}]",
        "baseline.slices=[{noise: t, kind: v, margin: 0.05}, {over: pixels, margin: 0.1}]",
    )
    overrides = [f"evaluation.gate.{setting}" for setting in settings]
    arguments = [part for override in overrides for part in ("--set", override)]
    result = hpatches("config", "check", *arguments)
    assert result.exit_code == 0, result.stderr


@pytest.mark.usefixtures("no_runner")
@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (
            "gate.production.slices=[{}, {noise: t, kind: i}]",
            "gate.production.slices.1.kind: asks for illumination (i_ sequences), of",
        ),
        (
            "references={v1: {model: nowhere}}",
            "references.v1: nowhere holds no saved_model.pb, expected a SavedM",
        ),
        (
            "references={v1: {descriptors: data}}",
            "references.v1: data holds no descriptors, expected <sequence>/",
        ),
    ],
)
def test_run_refuses_what_is_not_there_before_it_starts(tmp_path, setting, sentence):
    release(tmp_path)  # v_ sequences alone
    setting = ("--set", f"evaluation.{setting}")
    assert_refused(tmp_path, sentence, *RUN_STRIPS, *MATCHING_ALONE, *setting)


@pytest.mark.usefixtures("no_runner")
@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (dict.fromkeys(NAMES[:1], POINTS), "is no folder, expected the descriptors of v_"),
        (dict.fromkeys(NAMES, POINTS + 1), "holds 5 descriptors, expected 4"),
    ],
)
def test_run_refuses_descriptors_of_other_data_before_it_starts(tmp_path, points, sentence):
    release(tmp_path)
    for name, count in points.items():
        write_sequence(str(tmp_path / "csv"), name, np.zeros((16, count, 3), np.float32))
    settings = (
        "training.stages=[{points_per_batch: 4, patches_per_point: 2}]",
        "data.split.eval_share=0.5",
        "evaluation.references={v1: {descriptors: csv}}",
    )
    given = [part for setting in settings for part in ("--set", setting)]
    told = assert_refused(tmp_path, sentence, *RUN_STRIPS, *MATCHING_ALONE, *given)
    assert "evaluation.references.v1: csv/v_" in told

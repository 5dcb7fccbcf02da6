"""Runs that cannot come to a good end are refused before anything slow starts."""

import json

import pytest

from pipeline import preflight
from pipeline.config.tree import load_config
from tests.pipeline.commands.bad_data import (
    MATCHING_ALONE,
    RUN_STRIPS,
    SMALL,
    assert_refused,
    hpatches,
    photographs,
    release,
)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("trainin.seed=1", "trainin: unknown key; did you mean 'training'?"),
        ("training.stages.0.points_per_batch=17", ": found 17, expected at most 8, the points"),
        ("data.split={rule: official, name: a}", "split 'a': names i_ajuntament, i_autannes, "),
        (
            "data.split={rule: file, file: my.json}",
            "my.json: split 'file': names v_nowhere, which ",
        ),
        ("data.split={rule: file, file: no.json}", "no.json: cannot be read (No such file"),
        ("data.split={rule: file, file: data/v_a/e1.png}", "e1.png: is not UTF-8 text"),
        (
            "evaluation.official_tasks=nowhere",
            "nowhere/verif_pos_split-a.csv: is missing, expected",
        ),
        ("push.destination=my.json/models", "push.destination: found the file "),
        ("push.destination=/proc/models", "push.destination: cannot write in /proc (No such file"),
        ("work_dir=/proc/work", "work_dir: cannot write in /proc"),
        ("work_dir='w [1]'", "w [1] has one of * ? [ in its name, which TFX takes for a pattern"),
    ],
)
@pytest.mark.usefixtures("no_runner")
def test_run_refuses_an_impossible_configuration_before_it_starts(tmp_path, override, sentence):
    release(tmp_path)
    (tmp_path / "my.json").write_text(json.dumps({"train": ["v_a", "v_b"], "test": ["v_nowhere"]}))
    assert_refused(tmp_path, sentence, *RUN_STRIPS, *MATCHING_ALONE, "--set", override)


@pytest.mark.usefixtures("no_runner")
def test_a_gate_that_could_bless_no_model_is_refused_before_training(tmp_path):
    release(tmp_path)
    sentence = "evaluation.gate.baseline.tasks: asks for retrieval, whose distractors come from"
    told = assert_refused(tmp_path, sentence, *RUN_STRIPS)
    assert "holds out 1 scene, expected at least 2; raise data.split.eval_share" in told


@pytest.mark.usefixtures("no_runner")
def test_a_bound_on_too_few_scenes_is_refused_once_there_is_a_model_to_compare_with(tmp_path):
    release(tmp_path)
    settings = [RUN_STRIPS[-1], *MATCHING_ALONE[1::2]]
    config = load_config("strips", settings, {})
    preflight.check_data(config, "data")  # the first model has nothing to be compared with
    (tmp_path / "served" / "3").mkdir(parents=True)
    (tmp_path / "served" / "3" / "saved_model.pb").touch()
    served = ("--set", "push.destination=served")
    sentence = "evaluation.gate.production.mode: is lower_bound, which needs 10 held-out scenes"
    told = assert_refused(tmp_path, sentence, *RUN_STRIPS, *MATCHING_ALONE, *served)
    assert "in production (served), but the split holds out 1; set it to point" in told
    settings += [served[1], "evaluation.gate.production.mode=point"]
    preflight.check_data(load_config("strips", settings), "data")


@pytest.mark.usefixtures("no_runner")
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (  # of four scenes, two train, each with an i_ and a v_ sequence
            ("training.stages=[{points_per_batch: 11, patches_per_point: 2}]",),
            "training.stages.0.points_per_batch: found 11, expected at most 10, the points",
        ),
        (
            ("data.max_points=3", "training.stages=auto"),
            "stages is auto, but the training data fill batches of at most 6 points",
        ),
    ],
)
def test_batches_that_photographs_cannot_fill_are_refused(tmp_path, settings, sentence):
    photographs(tmp_path)
    arguments = ("--format", "photos", "--data", "data", "--work", "work", *SMALL)
    more = [word for setting in settings for word in ("--set", setting)]
    assert_refused(tmp_path, sentence, "run", *arguments, *more)


@pytest.mark.usefixtures("no_runner")
def test_more_patch_sequences_per_batch_than_the_demo_can_give_are_refused(tmp_path):
    stages = "training.stages=[{points_per_batch: 60000, patches_per_point: 2}]"
    result = hpatches("run", "--work", "work", "--set", stages)
    assert result.exit_code == 2
    assert "training.stages.0.points_per_batch: found 60000, expected at most" in result.stderr
    assert not (tmp_path / "work" / "metadata.db").exists()


@pytest.mark.usefixtures("no_runner")
def test_published_tasks_of_other_data_are_refused_before_training(tmp_path):
    release(tmp_path)
    (tmp_path / "tasks").mkdir()
    for name in ("retr_queries", "retr_distractors"):
        (tmp_path / "tasks" / f"{name}_split-a.csv").write_text("s,idx\nv_bird,3\n")
    settings = (
        *("--set", "evaluation.official_tasks=tasks"),
        *("--set", "evaluation.tasks=[matching, retrieval]"),
    )
    sentence = "tasks/retr_queries_split-a.csv, line 2: s is 'v_bird', expected one of the image"
    assert_refused(tmp_path, sentence, *RUN_STRIPS, *settings)


def test_published_tasks_are_refused_for_what_is_no_patch_release():
    result = hpatches("config", "check", "--set", "evaluation.official_tasks=tasks")
    assert result.exit_code == 2
    assert "but data.format is 'photos'; published tasks name the patches" in result.stderr

"""Runs that cannot come to a good end are refused before anything slow starts."""

import json
import os

import pytest

from pipeline import preflight
from pipeline.config.tree import load_config
from pipeline.runs import work_lock
from tests.pipeline.commands.bad_data import (
    MATCHING_ALONE,
    SMALL,
    assert_refused,
    hpatches,
    photographs,
    release,
)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("training.stages.0.patches_per_point=17", ": found 17, expected at most 16"),
        ("trainin.seed=1", "trainin: unknown key; did you mean 'training'?"),
        ("training.seed=one", 'training.seed: found "one", expected an integer'),
        ("warm_start=1", "warm_start: found 1, expected true or false"),
        ("training.stages.0.points_per_batch=17", ": found 17, expected at most 8, the patch"),
        ("data.split.rule=official", "data.split: rule 'official' needs a name"),
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
        ("work_dir=my.json", "my.json, expected a folder"),
        (
            "work_dir=gs://bucket/work",
            "work_dir: found 'gs://bucket/work', expected a local folder",
        ),
    ],
)
@pytest.mark.usefixtures("no_runner")
def test_run_refuses_an_impossible_configuration_before_it_starts(tmp_path, override, sentence):
    release(tmp_path)
    (tmp_path / "my.json").write_text(json.dumps({"train": ["v_a", "v_b"], "test": ["v_nowhere"]}))
    small = "training.stages=[{points_per_batch: 8, patches_per_point: 2}]"
    arguments = ("--format", "strips", "--data", "data", "--set", "work_dir=work", "--set", small)
    assert_refused(tmp_path, sentence, "run", *arguments, *MATCHING_ALONE, "--set", override)


@pytest.mark.usefixtures("no_runner")
def test_a_gate_that_could_bless_no_model_is_refused_before_training(tmp_path):
    release(tmp_path)
    small = "training.stages=[{points_per_batch: 8, patches_per_point: 2}]"
    arguments = ("--format", "strips", "--data", "data", "--work", "work", "--set", small)
    sentence = "evaluation.gate.baseline.tasks: asks for retrieval, whose distractors come from"
    told = assert_refused(tmp_path, sentence, "run", *arguments)
    assert "holds out 1 scene, expected at least 2; raise data.split.eval_share" in told


@pytest.mark.usefixtures("no_runner")
def test_a_bound_on_too_few_scenes_is_refused_once_there_is_a_model_to_compare_with(tmp_path):
    release(tmp_path)
    small = "training.stages=[{points_per_batch: 8, patches_per_point: 2}]"
    arguments = ("--format", "strips", "--data", "data", "--work", "work", "--set", small)
    config = load_config("strips", [small, *MATCHING_ALONE[1::2]], {})
    preflight.check_data(config, "data")  # the first model has nothing to be compared with
    (tmp_path / "served" / "3").mkdir(parents=True)
    (tmp_path / "served" / "3" / "saved_model.pb").touch()
    served = ("--set", "push.destination=served")
    sentence = "evaluation.gate.production.mode: is lower_bound, which needs 10 held-out scenes"
    told = assert_refused(tmp_path, sentence, "run", *arguments, *MATCHING_ALONE, *served)
    assert "in production (served), but the split holds out 1; set it to point" in told
    point = load_config(
        "strips",
        [
            small,
            *MATCHING_ALONE[1::2],
            "push.destination=served",
            "evaluation.gate.production.mode=point",
        ],
    )
    preflight.check_data(point, "data")


@pytest.mark.usefixtures("no_runner")
def test_more_patch_sequences_per_batch_than_photographs_can_give_are_refused(tmp_path):
    photographs(tmp_path)  # of four scenes, two train, each with an i_ and a v_ sequence
    stages = "training.stages=[{points_per_batch: 11, patches_per_point: 2}]"
    arguments = ("--format", "photos", "--data", "data", "--work", "work", *SMALL, "--set", stages)
    sentence = "training.stages.0.points_per_batch: found 11, expected at most 10, the patch"
    assert_refused(tmp_path, sentence, "run", *arguments)


@pytest.mark.usefixtures("no_runner")
def test_more_patch_sequences_per_batch_than_the_demo_can_give_are_refused(tmp_path):
    stages = "training.stages=[{points_per_batch: 9000, patches_per_point: 2}]"
    result = hpatches("run", "--work", "work", "--set", stages)
    assert result.exit_code == 2
    assert "training.stages.0.points_per_batch: found 9000, expected at most" in result.stderr
    assert not (tmp_path / "work" / "metadata.db").exists()


@pytest.mark.usefixtures("no_runner")
def test_too_few_patch_sequences_for_any_plan_are_refused(tmp_path):
    photographs(tmp_path)
    few = ("--set", "data.max_points=3", "--set", "training.stages=auto")
    arguments = ("--format", "photos", "--data", "data", "--work", "work", *SMALL, *few)
    sentence = "stages is auto, but the training data fill batches of at most 6 patch sequences"
    assert_refused(tmp_path, sentence, "run", *arguments)


@pytest.mark.usefixtures("no_runner")
def test_published_tasks_of_other_data_are_refused_before_training(tmp_path):
    release(tmp_path)
    (tmp_path / "tasks").mkdir()
    for name in ("retr_queries", "retr_distractors"):
        (tmp_path / "tasks" / f"{name}_split-a.csv").write_text("s,idx\nv_bird,3\n")
    settings = (
        "training.stages=[{points_per_batch: 8, patches_per_point: 2}]",
        "evaluation.official_tasks=tasks",
        "evaluation.tasks=[matching, retrieval]",
    )
    arguments = [part for setting in settings for part in ("--set", setting)]
    sentence = "tasks/retr_queries_split-a.csv, line 2: s is 'v_bird', expected one of the image"
    data = ("--format", "strips", "--data", "data", "--work", "work")
    assert_refused(tmp_path, sentence, "run", *data, *arguments)


def test_published_tasks_are_refused_for_what_is_no_patch_release():
    result = hpatches("config", "check", "--set", "evaluation.official_tasks=tasks")
    assert result.exit_code == 2
    assert "but data.format is 'photos'; published tasks name the patches" in result.stderr


@pytest.mark.usefixtures("no_runner")
def test_a_work_folder_that_another_run_holds_is_refused(tmp_path):
    release(tmp_path)
    small = "training.stages=[{points_per_batch: 8, patches_per_point: 2}]"
    arguments = ("--format", "strips", "--data", "data", "--work", "work", "--set", small)
    with work_lock.hold(tmp_path / "work"):
        sentence = f"work: process {os.getpid()} on "
        told = assert_refused(tmp_path, sentence, "run", *arguments, *MATCHING_ALONE)
    assert "is working in this folder; wait for it or choose another" in told

"""What `hpatches evaluate` is given wrong: descriptors, task files and models."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import csv_tree
from tests.components.descriptor_evaluator.descriptors.test_saved_model import save
from tests.pipeline.commands.bad_data import (
    NAMES,
    POINTS,
    assert_refused,
    hpatches,
    release,
)
from trainer.core.variants import VARIANTS

PAIRS = "s1,t1,idx1,s2,t2,idx2\n"
TASKS = {
    "verif_pos": PAIRS + "v_a,0,0,v_a,3,0\nv_b,1,1,v_b,5,1\n",
    "verif_neg_intra": PAIRS + "v_a,0,0,v_a,3,2\nv_b,1,1,v_b,5,0\n",
    "verif_neg_inter": PAIRS + "v_a,0,0,v_b,3,1\nv_b,1,1,v_a,5,2\n",
    "retr_queries": "s,idx\nv_a,2\n",
    "retr_distractors": "s,idx\nv_b,1\nv_a,0\n",
}


def write_descriptors(root: Path, names=NAMES, dimension: int = 3) -> Path:
    for name in names:
        rng = np.random.default_rng(list(name.encode()))
        points = rng.normal(size=(1, POINTS, dimension))
        values = points + 0.3 * rng.normal(size=(16, POINTS, dimension))
        csv_tree.write_sequence(str(root / "csv"), name, values.astype(np.float32))
    return root / "csv"


def write_tasks(root: Path, **changes: str) -> None:
    (root / "tasks").mkdir()
    for stem, content in (TASKS | changes).items():
        (root / "tasks" / f"{stem}_split-x.csv").write_text(content)


def scores_of(*arguments) -> dict:
    result = hpatches("evaluate", "--data", "data", *arguments, "--json", "scores.json")
    assert result.exit_code == 0, result.output
    scores = json.loads(Path("scores.json").read_text())
    Path("scores.json").unlink()
    return scores | {"printed": result.stdout}


def test_descriptors_of_another_dimension_in_one_sequence_are_refused(tmp_path):
    release(tmp_path)
    write_descriptors(tmp_path, NAMES[:3])
    write_descriptors(tmp_path, NAMES[3:], dimension=5)
    arguments = ("--data", "data", "--descriptors", "csv", "--json", "scores.json")
    result = hpatches("evaluate", *arguments)
    assert result.exit_code == 2
    sentence = "csv/v_d: descriptors have 5 numbers, expected 3 as in v_a"
    assert result.stderr.splitlines()[-1] == sentence
    assert not Path("scores.json").exists()


def test_descriptors_with_nan_are_scored_as_the_reference_would_and_reported(tmp_path):
    release(tmp_path)
    broken = write_descriptors(tmp_path) / "v_b" / "h3.csv"
    rows = broken.read_text().splitlines()
    broken.write_text("\n".join(["nan" + rows[0][rows[0].index(",") :], *rows[1:]]) + "\n")
    found = scores_of("--descriptors", "csv")
    assert found["matching"]["h"] is None and found["matching"]["e"] is not None
    assert found["data"]["degeneracy"]["non_finite_share"] == 1 / (4 * 16 * POINTS)
    assert "of the descriptors hold NaN or infinity, allowed are 0.00%" in found["printed"]


def test_the_order_in_which_sequences_and_variants_were_written_does_not_matter(tmp_path):
    release(tmp_path)
    write_descriptors(tmp_path)
    expected = scores_of("--descriptors", "csv")
    (tmp_path / "other").mkdir()
    for name in reversed(NAMES):
        (tmp_path / "other" / name).mkdir()
        for variant in reversed(VARIANTS):
            shutil.copy(tmp_path / "csv" / name / f"{variant}.csv", tmp_path / "other" / name)
    found = scores_of("--descriptors", "other")
    for task in ("verification", "matching", "retrieval"):
        assert found[task] == expected[task]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"retr_queries": "s,idx\nv_a,2\nv_x,0\n"},
            "retr_queries_split-x.csv, line 3: s is 'v_x', expected one of the image sequences",
        ),
        (
            {"verif_neg_inter": TASKS["verif_neg_inter"].replace("v_b,3", "v_y,3")},
            "verif_neg_inter_split-x.csv, line 2: s2 is 'v_y', expected one of the image seq",
        ),
        (
            {"retr_distractors": "s,idx\nv_b,4\n"},
            "retr_distractors_split-x.csv, line 2: idx is 4 of v_b, expected a patch number below",
        ),
        (
            {"verif_pos": TASKS["verif_pos"].replace("v_b,5,1", "v_b,5,9")},
            "verif_pos_split-x.csv, line 3: idx2 is 9 of v_b, expected a patch number below",
        ),
        (
            {"verif_neg_intra": PAIRS + "v_a,0,0,v_a,3,2\n"},
            "verif_neg_intra_split-x.csv: holds 1 pairs, expected 2 as in verif_pos_split-x.csv",
        ),
        (
            {"verif_pos": "s1,t1\nv_a,0\n"},
            "verif_pos_split-x.csv: has the columns s1,t1, expected s1,t1,idx1,s2,t2,idx2",
        ),
        ({"retr_queries": "s,idx\nv_a,1\nv_a,1,1\n"}, "retr_queries_split-x.csv: is no CSV table"),
        ({"retr_queries": "s,idx\nv_a,1,1\n"}, "its rows have more fields than its header"),
        ({"retr_queries": "s,idx\nv_a\n"}, "retr_queries_split-x.csv, line 2: idx is "),
    ],
)
def test_task_files_that_do_not_belong_to_the_data_are_refused(tmp_path, changes, sentence):
    release(tmp_path)
    write_tasks(tmp_path, **changes)
    arguments = ("--data", "data", "--tasks", "tasks", "--json", "scores.json")
    line = assert_refused(tmp_path, sentence, "evaluate", "--baseline", "pixels", *arguments)
    assert line.startswith("tasks/")


def test_good_task_files_are_scored(tmp_path):
    release(tmp_path)
    write_tasks(tmp_path)
    found = scores_of("--baseline", "pixels", "--tasks", "tasks")
    assert found["data"]["tasks"]["positives"] == 2
    assert found["retrieval"]["mean"] is not None


@pytest.mark.parametrize(
    ("signature", "method", "sentence"),
    [
        ("other", "serve", "has the signatures other, expected serving_default from uint8 patches"),
        ("serving_default", "of_floats", "serving_default maps float32 patches (None, None, None)"),
        ("serving_default", "of_images", "serving_default maps uint8 images (None, None, None)"),
    ],
)
def test_a_model_without_our_signature_is_refused(tmp_path, signature, method, sentence):
    release(tmp_path)
    save(tmp_path / "model", signature, method)
    data = ("--model", "model", "--data", "data")
    assert_refused(tmp_path, f"model: {sentence}", "describe", *data, "--output", "out")
    assert_refused(tmp_path, f"model: {sentence}", "evaluate", *data, "--json", "scores.json")


@pytest.mark.parametrize(
    "file",
    ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"],
)
def test_a_truncated_model_is_refused(tmp_path, file):
    release(tmp_path)
    save(tmp_path / "model")
    content = (tmp_path / "model" / file).read_bytes()
    (tmp_path / "model" / file).write_bytes(content[: len(content) // 2])
    sentence = "model: cannot be loaded as a SavedModel ("
    data = ("--model", "model", "--data", "data")
    assert_refused(tmp_path, sentence, "describe", *data, "--output", "out")
    assert_refused(tmp_path, sentence, "evaluate", *data, "--json", "scores.json")

"""What `hpatches evaluate` is given: descriptors and task files, right and wrong."""

import json
import shutil
from pathlib import Path

import numpy as np

from components.descriptor_evaluator.descriptors import csv_tree
from tests.pipeline.commands.bad_data import (
    NAMES,
    POINTS,
    assert_refused,
    hpatches,
    release,
)
from trainer.core.variants import VARIANTS


def write_descriptors(root: Path, names=NAMES, dimension: int = 3) -> Path:
    for name in names:
        rng = np.random.default_rng(list(name.encode()))
        points = rng.normal(size=(1, POINTS, dimension))
        values = points + 0.3 * rng.normal(size=(16, POINTS, dimension))
        csv_tree.write_sequence(str(root / "csv"), name, values.astype(np.float32))
    return root / "csv"


def write_tasks(root: Path, queries: str) -> None:
    pairs = "s1,t1,idx1,s2,t2,idx2\n"
    tables = {
        "verif_pos": pairs + "v_a,0,0,v_a,3,0\nv_b,1,1,v_b,5,1\n",
        "verif_neg_intra": pairs + "v_a,0,0,v_a,3,2\nv_b,1,1,v_b,5,0\n",
        "verif_neg_inter": pairs + "v_a,0,0,v_b,3,1\nv_b,1,1,v_a,5,2\n",
        "retr_queries": f"s,idx\n{queries}\n",
        "retr_distractors": "s,idx\nv_b,1\nv_a,0\n",
    }
    (root / "tasks").mkdir(exist_ok=True)
    for stem, content in tables.items():
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
    scores = scores_of("--descriptors", "csv")
    assert scores["matching"]["h"] is None and scores["matching"]["e"] is not None
    assert scores["data"]["degeneracy"]["non_finite_share"] == 1 / (4 * 16 * POINTS)
    assert "of the descriptors hold NaN or infinity, allowed are 0.00%" in scores["printed"]


def test_the_order_in_which_sequences_and_variants_were_written_does_not_matter(tmp_path):
    release(tmp_path)
    write_descriptors(tmp_path)
    expected = scores_of("--descriptors", "csv")
    (tmp_path / "other").mkdir()
    for name in reversed(NAMES):
        (tmp_path / "other" / name).mkdir()
        for variant in reversed(VARIANTS):
            shutil.copy(tmp_path / "csv" / name / f"{variant}.csv", tmp_path / "other" / name)
    scores = scores_of("--descriptors", "other")
    for task in ("verification", "matching", "retrieval"):
        assert scores[task] == expected[task]


def test_task_files_are_scored_where_they_belong_to_the_data(tmp_path):
    release(tmp_path)
    write_tasks(tmp_path, queries="v_a,2")
    scores = scores_of("--baseline", "pixels", "--tasks", "tasks")
    assert scores["data"]["tasks"]["positives"] == 2
    assert scores["retrieval"]["mean"] is not None
    write_tasks(tmp_path, queries="v_a,2\nv_x,0")
    arguments = ("--data", "data", "--tasks", "tasks", "--json", "scores.json")
    sentence = "tasks/retr_queries_split-x.csv, line 3: s is 'v_x', expected one of the image seq"
    assert_refused(tmp_path, sentence, "evaluate", "--baseline", "pixels", *arguments)

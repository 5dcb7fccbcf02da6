"""`hpatches evaluate` behind its command line: releases, CSV trees and task files."""

import json
import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest

from components.core.names import TASK_NAMES
from components.descriptor_evaluator.descriptors import csv_tree, handcrafted
from components.descriptor_evaluator.descriptors.describer import Describer
from components.descriptor_evaluator.scoring import evaluate
from components.descriptor_evaluator.scoring.evaluate import data_checksum
from components.descriptor_evaluator.scoring.provenance import code_fingerprint, versions
from tests.components.descriptor_evaluator.protocol import literal_protocol as literal
from tests.support.releases import COUNTS, make_release, patches_of
from trainer.core.errors import UserError

NAMES = tuple(COUNTS)


def evaluate_release(data, model="", descriptors="", baseline="", rows_folder=None, **options):
    describer = Describer("scored", model, descriptors, baseline)
    options = evaluate.ReleaseOptions(**options)
    (result,) = evaluate.evaluate_release(data, [describer], options, rows_folder=rows_folder)
    return result


def some_descriptors():
    rng = np.random.default_rng(0)
    result = {}
    for name, count in COUNTS.items():
        values = rng.normal(size=(1, count, 4)) + 0.6 * rng.normal(size=(16, count, 4))
        result[name] = np.round(values * 2).astype(np.float32)  # plenty of ties
    return result


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("csv")
    for name, values in some_descriptors().items():
        csv_tree.write_sequence(str(folder), name, values)
    return str(folder)


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """Task files as published, and the same rows as lists."""
    folder = tmp_path_factory.mktemp("tasks")
    rng = np.random.default_rng(1)
    tables = {"verif_pos": [], "verif_neg_intra": [], "verif_neg_inter": []}
    for _ in range(40):
        first, other = rng.choice(NAMES, 2, replace=False)
        one, two = (int(i) for i in rng.choice(COUNTS[first], 2, replace=False))
        three = int(rng.integers(COUNTS[other]))
        image, target = (int(t) for t in rng.choice(5, 2, replace=False))
        tables["verif_pos"].append((first, image, one, first, target, one))
        tables["verif_neg_intra"].append((first, image, one, first, target, two))
        tables["verif_neg_inter"].append((first, image, one, other, target, three))
    points = [(name, index) for name in NAMES for index in range(COUNTS[name])]
    order = [points[place] for place in rng.permutation(len(points))]
    tables["retr_queries"], tables["retr_distractors"] = order[:6], order[6:]
    for stem, rows in tables.items():
        header = "s1,t1,idx1,s2,t2,idx2" if stem.startswith("verif") else "s,idx"
        lines = [header, *(",".join(map(str, row)) for row in rows)]
        (folder / f"{stem}_split-x.csv").write_text("\n".join(lines) + "\n")
    splits = folder / "splits.json"
    splits.write_text(json.dumps({"x": {"name": "x", "test": list(NAMES), "train": []}}))
    return str(folder), str(splits), tables


def test_official_tasks_equal_the_literal_protocol(release, tree, official):
    folder, splits, tables = official
    result = evaluate_release(
        release, descriptors=tree, split="x", splits_file=splits, tasks_folder=folder
    )
    values = some_descriptors()
    for unit in ("inter", "intra"):
        expected = literal.verification(values, tables["verif_pos"], tables[f"verif_neg_{unit}"])
        for noise in "eht":
            auc, precision = expected[noise]
            assert result["verification"]["balanced"][unit][noise] == pytest.approx(auc, abs=1e-9)
            imbalanced = result["verification"]["imbalanced"][unit][noise]
            assert imbalanced == pytest.approx(precision, abs=1e-9)
    by_noise = {noise: [] for noise in "eht"}
    for part in values.values():
        for (noise, _), (precision, *_) in literal.matching(part).items():
            by_noise[noise].append(precision)
    for noise in "eht":
        assert result["matching"][noise] == pytest.approx(np.mean(by_noise[noise]), abs=1e-9)
    sizes = (100, 500, 1000, 5000, 10_000, 15_000, 20_000)
    own = {name: name for name in NAMES}
    expected = literal.retrieval(
        values, tables["retr_queries"], tables["retr_distractors"], sizes, own
    )
    for noise in "eht":
        for size in sizes:
            mean = np.mean([expected[number, noise, size][0] for number in range(6)])
            assert result["retrieval"][noise][str(size)] == pytest.approx(mean, abs=1e-9)
    mean = np.mean([pair[0] for pair in expected.values()])
    assert result["retrieval"]["mean"] == pytest.approx(mean, abs=1e-9)
    assert result["data"]["tasks"]["origin"] == "official files of split x"


def test_the_split_is_found_when_there_are_task_files_of_one_only(
    release, tree, official, tmp_path
):
    folder, _, _ = official
    result = evaluate_release(release, descriptors=tree, tasks_folder=folder)
    assert result["data"]["tasks"]["origin"] == "official files of split x"
    with pytest.raises(UserError, match="holds task files of 0 splits"):
        evaluate_release(release, descriptors=tree, tasks_folder=str(tmp_path))


def test_a_baseline_on_drawn_tasks(release):
    result = evaluate_release(release, baseline="rootsift")
    assert list(result) == [*TASK_NAMES, "intervals", "by_sequence", "data", "versions"]
    assert result["matching"]["mean"] > 0.9
    json.dumps(result, allow_nan=False)
    assert result == evaluate_release(release, baseline="rootsift")


def test_a_tree_of_the_baselines_descriptors_scores_the_same(release, tmp_path):
    for name, count in COUNTS.items():
        values = handcrafted.describe_sequence("pixels", patches_of(name, count))
        csv_tree.write_sequence(str(tmp_path), name, values)
    stored = evaluate_release(release, descriptors=str(tmp_path))
    direct = evaluate_release(release, baseline="pixels")
    for task in ("verification", "matching", "retrieval"):
        assert stored[task] == direct[task]


def test_descriptors_that_follow_the_order_of_the_rows_are_refused(tmp_path):
    counts = {"i_a": 24, "v_b": 24}
    release = make_release(tmp_path / "release", counts)
    rng = np.random.default_rng(0)
    for name, count in counts.items():
        values = 4 * np.eye(count) + 0.5 * rng.normal(size=(16, count, count))
        csv_tree.write_sequence(str(tmp_path / "csv"), name, values.astype(np.float32))
    with pytest.raises(UserError, match="csv: descriptors follow the order of the rows"):
        evaluate_release(release, descriptors=str(tmp_path / "csv"), which=("matching",))


def test_only_the_asked_tasks_are_scored(release, tree):
    result = evaluate_release(release, descriptors=tree, which=["matching"])
    assert list(result) == ["matching", "intervals", "by_sequence", "data", "versions"]


def test_descriptors_need_names_and_counts_alone(tree, tmp_path):
    import cv2

    for name, count in COUNTS.items():
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "ref.png"), np.zeros((65 * count, 65), np.uint8))
    result = evaluate_release(str(tmp_path), descriptors=tree)
    assert result["retrieval"]["mean"] is not None
    assert "contrast" in result["data"]["notes"][0]


def test_one_scene_leaves_retrieval_out_and_says_so(tree, tmp_path):
    root = make_release(tmp_path / "release", {"v_one": COUNTS["v_one"]})
    result = evaluate_release(root, descriptors=tree)
    assert result["retrieval"] is None
    assert result["verification"]["imbalanced"]["inter"] is None
    assert result["verification"]["mean"] is not None
    assert len([note for note in result["data"]["notes"] if "absent" in note]) == 2


def test_degenerate_descriptors_are_noted(release, tmp_path):
    for name, count in COUNTS.items():
        csv_tree.write_sequence(str(tmp_path), name, np.ones((16, count, 8), np.float32))
    result = evaluate_release(release, descriptors=str(tmp_path))
    assert result["retrieval"]["mean"] == pytest.approx(1.0)
    assert any("collapsed" in note for note in result["data"]["notes"])


def test_descriptors_of_the_training_scenes_are_refused(release, tree, tmp_path):
    import shutil

    copy = tmp_path / "csv"
    shutil.copytree(tree, copy)
    identity = {"sequences": {"train": ["v_one"], "val": []}, "scenes": {}}
    (copy / "descriptor.json").write_text(json.dumps(identity))
    with pytest.raises(UserError, match="was trained on v_one"):
        evaluate_release(release, descriptors=str(copy))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "0 of --model, --descriptors and --baseline"),
        ({"baseline": "sift", "descriptors": "x"}, "2 of --model, --descriptors and --baseline"),
        ({"baseline": "surf"}, "no baseline 'surf'"),
        ({"baseline": "sift", "tasks_folder": "/nowhere"}, "nowhere: found nothing"),
        ({"baseline": "sift", "split": "a"}, "split 'a' tests on"),
        ({"model": "/nowhere"}, "holds no saved_model.pb"),
    ],
)
def test_what_cannot_be_done_is_told(release, options, message):
    with pytest.raises(UserError, match=message):
        evaluate_release(release, **options)


def test_tensorflow_is_not_loaded_without_a_model():
    code = (
        "import sys; import components.descriptor_evaluator.scoring.evaluate, "
        "components.descriptor_evaluator.descriptors.handcrafted, "
        "components.descriptor_evaluator.descriptors.saved_model; "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["rootsift-smoothed", "sift-smoothed"])
def test_a_recipe_that_a_run_would_choose_is_told(release, name):
    data = evaluate_release(release, baseline=name, which=["matching"])["data"]
    assert data["scored"]["recipe"] == {"sigma": 3.0, "size": 1 / 6, "padding": 0.0}
    assert (
        f"{name}: blur 3 px, size 1/6, no border; `hpatches run` chooses them on validation "
        f"sequences"
    ) in data["notes"]


def test_other_descriptors_have_no_recipe(release):
    data = evaluate_release(release, baseline="rootsift", which=["matching"])["data"]
    assert "recipe" not in data["scored"]
    assert not data["notes"]


def test_stored_rows_say_what_they_are_of(release, tmp_path):
    evaluate_release(release, baseline="rootsift-smoothed", rows_folder=str(tmp_path / "rows"))
    about = json.loads((tmp_path / "rows" / "about.json").read_text())
    assert about["data_checksum"] == data_checksum(release, NAMES)
    assert about["scored"]["recipe"]["sigma"] == 3.0
    assert about["degeneracy"]["dimension"] == 128
    assert len(about["notes"]) == 1
    assert about["versions"] == versions() and about["code_fingerprint"] == code_fingerprint()
    assert datetime.fromisoformat(about["evaluated"]).tzinfo is not None


def test_the_checksum_follows_the_pixels_and_the_sequences_that_are_scored(release, tmp_path):
    import shutil

    copy = shutil.copytree(release, tmp_path / "copy")
    assert data_checksum(str(copy), NAMES[::-1]) == data_checksum(release, NAMES)
    assert data_checksum(release, NAMES[:2]) != data_checksum(release, NAMES)
    shutil.copy(copy / "v_one" / "e1.png", copy / "v_one" / "t5.png")
    assert data_checksum(str(copy), NAMES) != data_checksum(release, NAMES)
    (copy / "v_one" / "t5.png").unlink()  # of stored descriptors only ref.png is needed
    assert len(data_checksum(str(copy), NAMES)) == 64


def test_packed_bits_score_as_their_bits_by_hamming(release, tmp_path):
    """And not by L2, where they get a remark."""
    rng = np.random.default_rng(0)
    for name, count in COUNTS.items():
        bits = np.repeat(rng.integers(0, 2, (1, count, 256)), 16, axis=0)
        bits ^= rng.random(bits.shape) < 0.3
        csv_tree.write_sequence(str(tmp_path / "bits"), name, bits.astype(np.float32))
        packed = np.packbits(bits.astype(np.uint8), axis=-1).astype(np.float32)
        csv_tree.write_sequence(str(tmp_path / "packed"), name, packed)

    def result(folder, distance):
        return evaluate_release(
            release, descriptors=str(tmp_path / folder), which=["matching"], distance=distance
        )

    right = result("bits", "l2")
    assert result("bits", "hamming")["matching"] == right["matching"]
    assert result("packed", "hamming")["matching"] == right["matching"]
    assert result("packed", "l2")["matching"]["mean"] < right["matching"]["mean"] - 0.1
    remarks = [
        note for note in result("packed", "l2")["data"]["notes"] if "--distance hamming" in note
    ]
    assert len(remarks) == 1
    assert not any("hamming" in note for note in result("packed", "hamming")["data"]["notes"])
    with pytest.raises(UserError, match="hamming: rootsift describes"):
        evaluate_release(release, baseline="rootsift", which=["matching"], distance="hamming")

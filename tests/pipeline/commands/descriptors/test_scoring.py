"""`hpatches extract`, `describe` and `evaluate` on a small patch release."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.pipeline.commands.bad_data import hpatches
from trainer.core.variants import VARIANTS


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """Two image sequences of 6 points; the targets are noisy copies of the references."""
    root = tmp_path_factory.mktemp("release")
    rng = np.random.default_rng(0)
    for name in ("i_one", "v_two"):
        (root / name).mkdir()
        clean = cv2.GaussianBlur(rng.uniform(0, 255, (6 * 65, 65)), (0, 0), 4)
        clean = (clean - clean.mean()) * 4 + 128
        for variant in VARIANTS:
            noisy = clean if variant == "ref" else clean + rng.normal(0, 5, clean.shape)
            cv2.imwrite(str(root / name / f"{variant}.png"), noisy.clip(0, 255).astype(np.uint8))
    return root


def test_evaluate_prints_a_table_and_writes_the_json(release, tmp_path):
    target = tmp_path / "scores.json"
    result = hpatches("evaluate", "--baseline", "pixels", "--data", release, "--json", target)
    assert result.exit_code == 0, result.output
    for part in (
        *("verification", "matching", "retrieval", "easy", "tough", "success rate", "AUC inter"),
        *("mAP illumination", "mAP viewpoint", "ties counted against", "pool of", "spread 0."),
    ):
        assert part in result.stdout
    scores = json.loads(target.read_text())
    assert set(scores) == {"verification", "matching", "retrieval", "data", "versions"}
    assert scores["matching"]["mean"] > 0.9
    for task in ("verification", "matching", "retrieval"):
        assert 0.0 < scores[task]["tie_safe"]["mean"] <= scores[task]["mean"]
    assert set(scores["matching"]["by_kind"]) == {"i", "v"}
    assert scores["retrieval"]["by_kind"]  # two queries: not of both kinds
    assert scores["data"]["degeneracy"]["thresholds"]["min_distinct"] == 0.5
    assert scores["data"]["degeneracy"]["distinct_share"] == 1.0
    assert list(tmp_path.iterdir()) == [target]


def test_evaluate_scores_only_the_tasks_asked_for(release, tmp_path):
    target = tmp_path / "scores.json"
    arguments = ("--task", "matching", "--json", target)
    result = hpatches("evaluate", "--baseline", "pixels", "--data", release, *arguments)
    assert result.exit_code == 0, result.output
    assert "retrieval" not in result.stdout
    assert set(json.loads(target.read_text())) == {"matching", "data", "versions"}


def test_extract_writes_a_release_that_evaluate_reads(shared, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "v_wall").symlink_to(shared / "sequences" / "v_wall")
    arguments = ["extract", "--format", "sequences", "--input", tmp_path / "in"]
    arguments += ["--set", "data.max_points=20"]
    result = hpatches(*arguments, "--seed", "3", "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        f"Wrote 1 image sequences with 20 points (320 patches) to {tmp_path / 'out'}\n"
    )
    scored = hpatches(
        "evaluate", "--baseline", "sift", "--task", "matching", "--data", tmp_path / "out"
    )
    assert scored.exit_code == 0, scored.output
    assert hpatches(*arguments, "--seed", "4", "--output", tmp_path / "other").exit_code == 0
    strips = [tmp_path / folder / "v_wall" / "t1.png" for folder in ("out", "other")]
    assert strips[0].read_bytes() != strips[1].read_bytes()


@pytest.mark.parametrize("given", ["work", "work/serving"])
@pytest.mark.parametrize(
    "command",
    [
        ("describe", "--output", "csv", "--data"),
        ("evaluate", "--data"),
        ("evaluate", "--task", "pairs", "--data"),
        ("match", "a.png", "b.png", "--output", "c.png", "--homography"),
    ],
)
def test_a_work_folder_means_its_newest_pushed_model(release, tmp_path, command, given):
    model = tmp_path / "work" / "serving" / "12"
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_text("no graph")
    result = hpatches(*command, release, "--model", tmp_path / given)
    assert result.exit_code == 2, result.output
    assert result.stderr.splitlines()[0] == f"Model: {model}"

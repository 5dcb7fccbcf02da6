"""`hpatches extract`, `describe` and `evaluate` on a small patch release."""

import csv
import json
import shutil

import pytest

from tests.pipeline.commands.bad_data import hpatches


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
    assert set(scores) == {
        "verification",
        "matching",
        "retrieval",
        "intervals",
        "by_sequence",
        "data",
        "versions",
    }
    assert scores["matching"]["mean"] > 0.9
    for task in ("verification", "matching", "retrieval"):
        assert 0.0 < scores[task]["tie_safe"]["mean"] <= scores[task]["mean"]
    assert set(scores["matching"]["by_kind"]) == {"i", "v"}
    assert scores["retrieval"]["by_kind"]
    assert scores["data"]["degeneracy"]["thresholds"]["min_distinct"] == 0.5
    assert scores["data"]["degeneracy"]["distinct_share"] == 1.0
    assert list(tmp_path.iterdir()) == [target]
    whole = next(item for item in scores["intervals"] if item["task"] == "matching")
    assert whole["mean"] == pytest.approx(scores["matching"]["mean"])
    assert whole["low"] <= whole["mean"] <= whole["high"]
    assert f"{100 * whole['low']:.1f}..{100 * whole['high']:.1f}" in result.stdout


def test_several_descriptors_are_shown_in_one_table_that_is_saved(release, tmp_path):
    arguments = ["--data", release, "--baseline", "pixels", "--baseline", "sift"]
    table, scores = tmp_path / "scores.csv", tmp_path / "scores.json"
    result = hpatches("evaluate", *arguments, "--table", table, "--json", scores)
    assert result.exit_code == 0, result.output
    with table.open() as file:
        headings, *rows = csv.reader(file)
    numbers = {"verification", "matching", "matching interval", "retrieval", "matching easy"}
    assert numbers <= set(headings)
    assert [row[0] for row in rows] == ["pixels", "sift"]
    first = json.loads(scores.read_text())["descriptors"][0]
    matching = rows[0][headings.index("matching")]
    assert matching == f"{100 * first['matching']['mean']:.1f}"
    assert "pixels: Descriptors: 64 numbers" in result.stdout


def test_published_results_stand_beside_on_the_sequences_that_both_know(release, tmp_path):
    for name in ("v_graffiti", "v_mine"):
        shutil.copytree(f"{release}/v_three", tmp_path / "data" / name)
    target, table = tmp_path / "scores.json", tmp_path / "published.csv"
    arguments = ("--baseline", "pixels", "--data", tmp_path / "data", "--published")
    arguments += ("--task", "matching", "--json", target, "--table", table)
    result = hpatches("evaluate", *arguments)
    assert result.exit_code == 0, result.output
    assert "on 1 image sequences; published ones" in result.stdout
    with table.open() as file:
        rows = {row[0]: row[1:] for row in csv.reader(file)}
    assert rows["SOSNet"] == ["published", "72.9", "57.9", "38.0", "56.3"]
    scores = json.loads(target.read_text())
    assert list(scores["published"]["matching"]["SOSNet"]) == ["v_graffiti"]
    ours = scores["by_sequence"]["v_graffiti"]
    assert rows["pixels"][:2] == ["here", f"{100 * ours['e']:.1f}"]

    result = hpatches("evaluate", *arguments[:-2], "--published-method", "hardnet+")
    assert result.exit_code == 0, result.output
    assert "hardnet+" in result.stdout and "SOSNet" not in result.stdout


def test_where_nothing_is_published_that_is_said(release):
    result = hpatches("evaluate", "--data", release, "--baseline", "pixels", "--published")
    assert result.exit_code == 0, result.output
    assert "Nothing published stands beside these scores" in result.stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--table", "scores.xls"], "--table: found scores.xls, expected a name that ends in"),
        (["--rows", "rows", "--baseline", "sift"], "--rows goes with one descriptor"),
    ],
)
def test_what_cannot_be_written_is_refused_first(release, tmp_path, monkeypatch, options, sentence):
    monkeypatch.chdir(tmp_path)
    result = hpatches("evaluate", "--data", release, "--baseline", "pixels", *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not list(tmp_path.iterdir())


def test_evaluate_scores_only_the_tasks_asked_for(release, tmp_path):
    target = tmp_path / "scores.json"
    arguments = ("--task", "matching", "--json", target)
    result = hpatches("evaluate", "--baseline", "pixels", "--data", release, *arguments)
    assert result.exit_code == 0, result.output
    assert "retrieval" not in result.stdout
    assert set(json.loads(target.read_text())) == {
        "matching",
        "intervals",
        "by_sequence",
        "data",
        "versions",
    }


@pytest.mark.slow
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

"""`hpatches evaluate --task pairs` and `--task brown`."""

import json

import pytest

from tests.components.matching.brown import photo_tours
from tests.pipeline.commands.bad_data import assert_refused, hpatches
from tests.support.pictures import write_sequence


def test_pairs_prints_a_table_and_writes_the_json(tmp_path):
    for name in ("i_a", "v_b"):
        write_sequence(tmp_path / "data" / name, "png")
    arguments = ("--task", "pairs", "--data", "data", "--json", "scores.json")
    result = hpatches("evaluate", *arguments, "--baseline", "rootsift")
    assert result.exit_code == 0, result.output
    for words in ("2 image sequences, 10 pairs", "MMA 3", "AUC 10", "i_a", "all v_", "mean"):
        assert words in result.stdout
    content = json.loads((tmp_path / "scores.json").read_text())
    assert content["task"] == "pairs"
    assert content["descriptors"][0]["mean"]["accuracy"]["3"] > 0.9


def test_brown_prints_fpr95_and_writes_the_json(tmp_path):
    photo_tours.write(tmp_path / "liberty", count=64)
    pairs = tmp_path / "liberty" / "m50_150_150_0.txt"
    pairs = pairs.rename(tmp_path / "mine.txt")
    arguments = ("--task", "brown", "--data", "liberty", "--pairs", pairs, "--json", "s.json")
    result = hpatches("evaluate", *arguments, "--baseline", "pixels")
    assert result.exit_code == 0, result.output
    assert "32 matching and 32 other pairs" in result.stdout and "FPR95" in result.stdout
    content = json.loads((tmp_path / "s.json").read_text())
    assert (content["task"], content["data"]["pairs_file"]) == ("brown", str(pairs))
    assert 0.0 <= content["descriptors"][0]["fpr95"] < 0.2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--task", "pairs", "--task", "matching", "--baseline", "sift"), "data of its own"),
        (("--task", "pairs", "--task", "brown", "--baseline", "sift"), "data of its own"),
        (("--task", "pairs", "--baseline", "sift", "--split", "a"), "--split does not go with"),
        (("--task", "brown", "--descriptors", "csv"), "--descriptors does not go with"),
        (("--task", "pairs", "--baseline", "sift", "--pairs", "f"), "goes with --task brown"),
        (("--baseline", "sift", "--pairs", "f"), "goes with --task brown"),
        (("--task", "brown", "--distance", "l1"), "--distance l1 does not go with"),
        (("--task", "brown"), "Give one --model, one --baseline or both"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(arguments, sentence):
    result = hpatches("evaluate", "--data", "data", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_data_of_another_kind_are_refused_in_a_sentence(tmp_path):
    (tmp_path / "data").mkdir()
    arguments = ("--data", "data", "--baseline", "sift", "--json", "scores.json")
    assert_refused(tmp_path, "expected a PhotoTour set", "evaluate", "--task", "brown", *arguments)
    assert_refused(tmp_path, "found nothing to read", "evaluate", "--task", "pairs", *arguments)

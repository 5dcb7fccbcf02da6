"""`hpatches compare` on a small patch release."""

import csv
import json
import shutil

import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import csv_tree
from pipeline.terminal.comparison_table import short_names
from tests.pipeline.commands.bad_data import hpatches
from tests.support.releases import COUNTS, make_release


@pytest.fixture(scope="module")
def results(release, tmp_path_factory):
    """Stored results of two handcrafted descriptors, and one of other tasks."""
    root = tmp_path_factory.mktemp("results")
    for name in ("pixels", "rootsift"):
        arguments = ("--data", release, "--rows", root / name)
        done = hpatches("evaluate", "--baseline", name, *arguments)
        assert done.exit_code == 0, done.output
    arguments = ("--data", release, "--rows", root / "other", "--task", "matching")
    assert hpatches("evaluate", "--baseline", "pixels", *arguments).exit_code == 0
    return root


def test_two_descriptors_are_scored_and_compared(release, tmp_path):
    target = tmp_path / "comparison.json"
    done = hpatches("compare", "pixels", "rootsift", "--data", release, "--json", target)
    assert done.exit_code == 0, done.output
    for part in (
        "pixels against rootsift: mAP in per cent",
        "verification",
        "tough",
        "v_three",
        "3 scenes are too few",
    ):
        assert part in done.stdout
    content = json.loads(target.read_text())
    assert (content["first"], content["second"]) == ("pixels", "rootsift")
    assert len(content["sequences"]) == 3
    for part in content["slices"]:
        assert part["difference"] == pytest.approx(part["first"] - part["second"])


def test_several_are_compared_with_the_first_one(release, tmp_path):
    target = tmp_path / "comparison.json"
    done = hpatches("compare", "pixels", "rootsift", "sift", "--data", release, "--json", target)
    assert done.exit_code == 0, done.output
    for other in ("rootsift", "sift"):
        assert f"pixels against {other}: mAP in per cent" in done.stdout
    comparisons = json.loads(target.read_text())["comparisons"]
    assert [item["second"] for item in comparisons] == ["rootsift", "sift"]
    assert hpatches("compare", "pixels", "--data", release).exit_code == 2


def test_result_filess_give_the_same_numbers_without_the_data(release, results, tmp_path):
    ours, theirs = results / "pixels", results / "rootsift"
    done = hpatches("compare", ours, theirs, "--json", tmp_path / "stored.json")
    assert done.exit_code == 0, done.output
    again = ("--data", release, "--json", tmp_path / "scored.json")
    assert hpatches("compare", "pixels", "rootsift", *again).exit_code == 0
    stored, scored = (
        json.loads((tmp_path / name).read_text()) for name in ("stored.json", "scored.json")
    )
    assert stored["slices"] == scored["slices"]


@pytest.fixture(scope="module")
def known_release(release, tmp_path_factory):
    """A patch release with one image sequence named as HPatches has it, and one as it has not."""
    folder = tmp_path_factory.mktemp("known") / "release"
    for name in ("v_graffiti", "v_mine"):
        shutil.copytree(f"{release}/v_three", folder / name)
    return folder


def test_published_figures_stand_beside_per_image_sequence(known_release, tmp_path):
    target, table = tmp_path / "comparison.json", tmp_path / "published.csv"
    arguments = ("--data", known_release, "--json", target, "--table", table)
    done = hpatches("compare", "pixels", "rootsift", *arguments, "--published")
    assert done.exit_code == 0, done.output
    told = " ".join(done.stdout.split())
    assert "published ones (HPatches benchmark, results of split full) are of the" in told
    content = json.loads(target.read_text())
    (ours,) = (item for item in content["sequences"] if item["sequence"] == "v_graffiti")
    with table.open() as file:
        headings, *rows = csv.reader(file)
    published = ["SOSNet, published", "hardnet+, published", "cvRSIFT, published"]
    assert headings == ["sequence", "pixels", "rootsift", *published]
    mine = [f"{100 * ours[side]:.1f}" for side in ("first", "second")]
    assert rows == [[name, *mine, "56.3", "54.5", "32.2"] for name in ("v_graffiti", "mean")]
    beside = content["published"]
    assert beside["source"] == "HPatches benchmark, results of split full"
    assert len(beside["matching"]) == 23
    assert list(beside["matching"]["SOSNet"]) == ["v_graffiti"]


def test_named_published_descriptors_alone_are_shown_beside_several(known_release, tmp_path):
    target = tmp_path / "comparison.json"
    arguments = ("--data", known_release, "--json", target, "--published-method", "Orb")
    done = hpatches("compare", "pixels", "rootsift", "sift", *arguments)
    assert done.exit_code == 0, done.output
    last = " ".join(done.stdout.split()).rpartition("image sequences, mean over")[2]
    assert "orb, published" in last.replace("\n", " ") and "SOSNet" not in last
    content = json.loads(target.read_text())
    assert [list(content), list(content["published"]["matching"])] == [
        ["comparisons", "published"],
        ["orb"],
    ]


def test_where_nothing_is_published_that_is_said_and_unknown_names_are_refused(release):
    done = hpatches("compare", "pixels", "rootsift", "--data", release, "--published")
    assert done.exit_code == 0, done.output
    assert "Nothing published stands beside these scores" in done.stdout
    told = refused("compare", "pixels", "rootsift", "--data", release, "--published-method", "Sos")
    assert told.startswith("--published-method: found Sos, expected one of 32x32-CDbin-256,")


def refused(*arguments) -> str:
    """Runs a command that must fail, and returns its one sentence."""
    done = hpatches(*arguments)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_results_that_do_not_go_together_are_refused(release, results, tmp_path):
    pixels = results / "pixels"
    rows = ("evaluate", "--baseline", "pixels", "--data", release, "--rows", pixels)
    assert str(pixels) in refused(*rows)  # nothing is written over
    other = "were scored on different data or tasks; score both"
    assert other in refused("compare", pixels, results / "other")
    patches = make_release(tmp_path / "release")
    shutil.copy(tmp_path / "release" / "v_one" / "t1.png", f"{patches}/v_one/t2.png")
    rows = ("--data", patches, "--rows", tmp_path / "rows")
    assert hpatches("evaluate", "--baseline", "pixels", *rows).exit_code == 0
    assert other in refused("compare", pixels, tmp_path / "rows")
    told = refused("compare", pixels, "rootsift")
    assert told.startswith("rootsift: holds no scores; say with --data")
    told = refused("compare", pixels, "rootsift", "--data", release)
    assert "is a stored result without its model" in told


def test_results_by_different_distances_are_refused(release, results, tmp_path):
    target = tmp_path / "by-l1"
    arguments = ("--data", release, "--rows", target, "--distance", "l1")
    done = hpatches("evaluate", "--baseline", "rootsift", *arguments)
    assert done.exit_code == 0, done.output
    assert "distance l1, in per cent" in done.stdout
    told = refused("compare", results / "pixels", target)
    assert "/pixels was scored by the distance l2 and " in told
    assert "by-l1 by l1, expected the same; score both on one patch" in told


def test_both_sides_are_scored_by_the_distance_asked_for(release, tmp_path):
    sides = tmp_path / "one", tmp_path / "two"
    for factor, side in enumerate(sides, start=1):
        for name, values in some_values():
            csv_tree.write_sequence(str(side), name, values**factor)
    slices = {}
    for distance in ("l1", "l2"):
        arguments = ("--data", release, "--distance", distance, "--json", tmp_path / distance)
        done = hpatches("compare", *sides, *arguments)
        assert done.exit_code == 0, done.output
        slices[distance] = json.loads((tmp_path / distance).read_text())["slices"]
    for side in ("first", "second"):
        by_l1, by_l2 = ([part[side] for part in slices[name]] for name in ("l1", "l2"))
        assert by_l1 != by_l2


@pytest.mark.parametrize("option", [("--split", "a"), ("--tasks", "folder"), ("--distance", "l2")])
def test_what_to_score_needs_data(option):
    done = hpatches("compare", "pixels", "rootsift", *option)
    assert done.exit_code == 2
    assert "give --data too" in done.stderr


def test_results_that_do_not_say_of_which_patches_are_refused(results, tmp_path):
    old = shutil.copytree(results / "pixels", tmp_path / "old")
    about = json.loads((old / "about.json").read_text())
    del about["data_checksum"]
    (old / "about.json").write_text(json.dumps(about))
    told = refused("compare", old, old)
    assert f"{old}/about.json: does not say on which patches" in told
    assert "evaluate again" in told


def test_results_that_other_software_scored_are_compared_with_a_note(results, tmp_path):
    done = hpatches("compare", results / "pixels", results / "rootsift")
    assert "different software" not in done.stdout
    old = shutil.copytree(results / "pixels", tmp_path / "old")
    about = json.loads((old / "about.json").read_text())
    numpy = about["versions"]["numpy"]
    about["versions"]["numpy"] = "1.2.3"
    (old / "about.json").write_text(json.dumps(about))
    done = hpatches("compare", old, results / "rootsift")
    assert done.exit_code == 0, done.output
    assert f"scored with different software (numpy 1.2.3 and {numpy})" in done.stdout
    del about["code_fingerprint"], about["versions"]  # as an earlier version wrote it
    (old / "about.json").write_text(json.dumps(about))
    done = hpatches("compare", old, results / "rootsift")
    assert done.exit_code == 0, done.output
    assert "(another version of this evaluation, numpy unknown and" in done.stdout


def test_a_collapsed_side_is_told(release, results, tmp_path):
    flat = tmp_path / "csv"
    for name, count in COUNTS.items():
        csv_tree.write_sequence(str(flat), name, np.ones((16, count, 8), np.float32))
    rows = ("--data", release, "--rows", tmp_path / "rows")
    assert hpatches("evaluate", "--descriptors", flat, *rows).exit_code == 0
    target = tmp_path / "comparison.json"
    for arguments in (
        (flat, "rootsift", "--data", release),
        (tmp_path / "rows", results / "rootsift"),
    ):
        done = hpatches("compare", *arguments, "--json", target)
        assert done.exit_code == 0, done.output
        assert f"{short_names([str(arguments[0])])[0]} is degenerate: only" in done.stdout
        assert "ties counted against" in done.stdout
        content = json.loads(target.read_text())
        assert any("collapsed" in problem for problem in content["problems"]["first"])
        assert content["problems"]["second"] == []
        means = [part for part in content["slices"] if part["task"] == "retrieval"]
        assert all(part["difference"] < 0 for part in means)


def test_descriptors_that_are_nowhere_finite_can_be_written_as_json(release, tmp_path):
    flat = tmp_path / "csv"
    for name, values in some_values():
        values[4] = np.nan
        csv_tree.write_sequence(str(flat), name, values)
    target = tmp_path / "comparison.json"
    done = hpatches("compare", flat, "rootsift", "--data", release, "--json", target)
    assert done.exit_code == 0, done.output
    assert any(item["first"] is None for item in json.loads(target.read_text())["sequences"])


def test_the_recipe_of_a_smoothed_descriptor_is_told(release):
    done = hpatches("compare", "pixels", "sift-smoothed", "--data", release)
    assert done.exit_code == 0, done.output
    assert "sift-smoothed: blur 3 px, size 1/6, no border; `hpatches run` chooses" in done.stdout


def some_values():
    rng = np.random.default_rng(0)
    for name, count in COUNTS.items():
        yield name, rng.normal(size=(16, count, 8)).astype(np.float32)

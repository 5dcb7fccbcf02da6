"""`hpatches match` on two small pictures of one texture."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from components.example_gen.settings import DataSettings
from pipeline.cli import cli
from tests.components.matching import photograph_pairs
from tests.support.pictures import texture


def match(*arguments):
    return CliRunner().invoke(cli, ["match", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return photograph_pairs.write(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The smallest of models, which says how its patches were cut."""
    from tests.components.serving.serving_validator import tiny_model  # imports TensorFlow

    folder = tmp_path_factory.mktemp("model") / "thumbnail"
    tiny_model.save(folder)
    identity = {"descriptor_id": "tiny", "extraction": DataSettings().model_dump(mode="json")}
    (folder / "assets.extra" / "descriptor.json").write_text(json.dumps(identity))
    return folder


def test_a_baseline_alone_needs_no_model(files, tmp_path):
    result = match(*files[:2], "--baseline", "rootsift", "--output", "match.png")
    assert result.exit_code == 0, result.output
    for part in ("points in A", "matches", "inliers", "rootsift", "Drawn: match.png"):
        assert part in result.stdout
    assert "right within" not in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["match.png"]
    assert (tmp_path / "match.png").read_bytes().startswith(b"\x89PNG")


def test_model_and_baseline_are_counted_side_by_side(files, model, tmp_path):
    result = match(
        *files[:2], "--model", model, "--baseline", "sift", "--homography", files[2],
        "--output", "match.svg", "--json", "match.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "match.json").read_text())
    assert [item["name"] for item in content["descriptors"]] == ["model", "sift"]
    assert [item["descriptor_id"] for item in content["descriptors"]] == ["tiny", None]
    for item in content["descriptors"]:
        assert item["right"]["3"] > 20
        row = next(line for line in result.stdout.splitlines() if item["name"] in line)
        counts = [item["matches"], item["inliers"], *item["right"].values()]
        assert [int(cell) for cell in row.replace("│", " ").split()[1:6]] == counts
    assert sorted(path.name for path in tmp_path.iterdir()) == ["match.json", "match.svg"]


def test_a_model_that_says_nothing_of_itself_matches_with_a_remark(files, model, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(model, bare)
    (bare / "assets.extra" / "descriptor.json").unlink()
    arguments = ("--output", "match.png", "--json", "match.json")
    result = match(*files[:2], "--model", bare, *arguments)
    assert result.exit_code == 0, result.output
    (remark,) = json.loads((tmp_path / "match.json").read_text())["notes"]
    assert remark in result.stdout.splitlines()
    assert "points are cut by the default rules" in remark
    usual = match(*files[:2], "--model", model, "--output", "usual.png", "--json", "usual.json")
    assert "default rules" not in usual.stdout
    same = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("match", "usual")]
    assert same[0]["descriptors"][0]["pairs"] == same[1]["descriptors"][0]["pairs"]


def test_a_second_call_gives_the_same_bytes(files, tmp_path):
    for name in ("one", "two"):
        arguments = ("--output", f"{name}.png", "--json", f"{name}.json", "--points", 300)
        assert match(*files[:2], "--baseline", "rootsift", *arguments).exit_code == 0
    for kind in ("png", "json"):
        assert Path(f"one.{kind}").read_bytes() == Path(f"two.{kind}").read_bytes()


def test_photographs_of_different_things_are_a_result_not_a_mistake(files, tmp_path):
    cv2.imwrite("other.png", texture(300, 200, seed=77))
    result = match(files[0], "other.png", "--baseline", "rootsift", "--output", "match.png")
    assert result.exit_code == 0, result.output
    assert "rootsift: no homography has 10 inliers or more among" in result.stdout
    assert (tmp_path / "match.png").is_file()


def test_limits_are_kept(files, tmp_path):
    arguments = ("--points", 40, "--ratio", 0.7, "--max-side", 200, "--json", "m.json")
    result = match(*files[:2], "--baseline", "sift", "--output", "m.png", *arguments)
    assert result.exit_code == 0, result.output
    content = json.loads(Path("m.json").read_text())
    first = content["photographs"][0]
    assert (first["size"], first["matched_at"]) == ([320, 260], [200, 162])
    assert 30 <= first["points"] <= 40
    assert all(row[5] <= 0.7 for row in content["descriptors"][0]["pairs"])
    assert "a.png is 320x260 pixels and was matched at 200x162" in result.stdout


def broken(folder: Path) -> None:
    """Writes what a user may give by mistake."""
    (folder / "text.jpg").write_text("hello")
    cv2.imwrite(str(folder / "tiny.png"), texture(40, 10))
    cv2.imwrite(str(folder / "flat.png"), np.full((90, 90), 120, np.uint8))
    (folder / "H").write_text("1 0 0\n0 1 0\n")
    (folder / "folder.png").mkdir()
    (folder / "bare").mkdir()
    (folder / "bare" / "saved_model.pb").write_text("graph")


@pytest.mark.parametrize(
    ("second", "options", "said"),
    [
        ("nowhere.png", {}, "nowhere.png: cannot be read (No such file or directory)"),
        ("text.jpg", {}, "text.jpg: cannot be decoded (no image format is recognised)"),
        ("folder.png", {}, "folder.png: cannot be read (Is a directory)"),
        ("tiny.png", {}, "tiny.png: is 40x10 pixels, expected at least 16 on the shorter side"),
        ("flat.png", {}, "flat.png: no point was found whose region lies in the photograph"),
        (None, {"--output": "m.bmp"}, "--output: m.bmp is no picture that can be drawn"),
        (None, {"--output": "match"}, "--output: match is no picture that can be drawn"),
        (None, {"--output": "no/m.png"}, "--output: no/m.png cannot be written"),
        (None, {"--output": "folder.png"}, "--output: folder.png cannot be written"),
        (None, {"--json": "no/m.json"}, "--json: no/m.json cannot be written"),
        (None, {"--json": "m.png"}, "--json: m.png is given as --output too"),
        ("flat.png", {"--output": "flat.png"}, "--output: flat.png is given as B too"),
        (None, {"--homography": "H"}, "H: holds 2 rows of 3, 3 numbers"),
        (None, {"--model": "none"}, "none: holds no saved_model.pb"),
        (None, {"--model": "bare"}, "bare: cannot be loaded as a SavedModel"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(files, tmp_path, second, options, said):
    broken(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    options = {"--output": "m.png", "--baseline": "sift", **options}
    arguments = [word for item in options.items() for word in item]
    result = match(files[0], second or files[1], *arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert said in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("option", ["--threshold", "--ratio"])
def test_what_is_no_number_is_refused(files, option):
    result = match(*files[:2], "--baseline", "sift", "--output", "m.png", option, "nan")
    assert result.exit_code == 2
    assert "Usage:" in result.stderr

"""`hpatches features` and `hpatches match --features`, from photographs to COLMAP and hloc."""

import sqlite3
from contextlib import closing

import cv2
import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli import cli
from tests.components.matching import photograph_pairs
from tests.support.colmap import ask


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def features(*arguments):
    return run("features", "images", "--baseline", "rootsift", *arguments)


@pytest.fixture
def images(tmp_path):
    """Two photographs of one picture, below the working folder."""
    folder = tmp_path / "images"
    folder.mkdir()
    photograph_pairs.write(folder)
    return folder


def test_photographs_become_features_and_matches(images):
    result = features("--output", "f.h5", "--output", "scene.db", "--points", 400)
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "Wrote 800 points of 2 photographs with descriptors of 128 numbers to f.h5, scene.db\n"
    )
    (images.parent / "pairs.txt").write_text("a.png b.png\n")
    arguments = ("match", "--features", "f.h5", "--pairs", "pairs.txt", "--output")
    for output in ("m.h5", "scene.db"):
        result = run(*arguments, output)
        assert result.exit_code == 0, result.output
        assert "of 1 pairs of photographs (ratio at most 0.85) to" in result.stdout
    with h5py.File("m.h5") as matched, h5py.File("f.h5") as found:
        rows = matched["a.png/b.png/matches0"][()]
        places = [found[name]["keypoints"][()].astype(float) for name in ("a.png", "b.png")]
    first = np.flatnonzero(rows >= 0)
    put = cv2.perspectiveTransform(places[0][None, first], photograph_pairs.TRUE)[0]
    right = np.linalg.norm(put - places[1][rows[first]], axis=1) < 2
    assert right.sum() > 50
    assert right.mean() > 0.9
    with closing(sqlite3.connect("scene.db")) as opened:
        ((count, blob),) = opened.execute("SELECT rows, data FROM matches").fetchall()
    assert count == len(first)
    np.testing.assert_array_equal(np.frombuffer(blob, np.uint32).reshape(-1, 2)[:, 0], first)


def test_a_model_of_ours_describes_and_another_is_refused(images):
    from tests.components.serving.serving_validator import tiny_model  # imports TensorFlow

    tiny_model.save("model")
    (images.parent / "model/assets.extra/descriptor.json").unlink()
    arguments = ("features", "images", "--points", "50", "--model")
    result = run(*arguments, "model", "--output", "f.npz")
    assert result.exit_code == 0, result.output
    assert "does not say how the patches were cut" in result.stdout
    assert "descriptors of 64 numbers" in result.stdout
    (images.parent / "model/saved_model.pb").write_bytes(b"no graph")
    result = run(*arguments, "model", "--output", "g.npz")
    assert result.exit_code == 2
    assert "model: cannot be loaded as a SavedModel" in result.stderr
    assert not (images.parent / "g.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--output", "f.txt"), "--output: f.txt names no format, expected hloc's features (.h5)"),
        (("--output", "there.db"), "--output: there.db is there already; choose another name"),
        (("--output", "no/f.h5"), "--output: no/f.h5 cannot be written; expected a file name in"),
        (("--output", "/proc/f.h5"), "--output: cannot write in /proc"),
        (("--output", "f.h5", "--output", "f.h5"), "Give each --output once"),
        (("--output", "f.h5", "--model", "m"), "Give one of --model and --baseline"),
    ],
)
def test_bad_options_end_with_a_sentence_and_nothing_is_left(images, arguments, sentence):
    (images.parent / "there.db").write_text("precious")
    result = features(*arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr.replace("\n", " ")
    assert sorted(path.name for path in images.parent.iterdir()) == ["images", "there.db"]
    assert (images.parent / "there.db").read_text() == "precious"


def test_a_folder_without_images_or_with_a_bad_one_ends_with_a_sentence(images):
    (images / "notes.txt").write_text("no image")
    (images / "c.jpg").write_text("hello")
    result = features("--output", "f.h5")
    assert result.exit_code == 2
    assert "images/c.jpg: cannot be decoded" in result.stderr
    assert "--skip-bad-images" in result.stderr
    result = features("--output", "f.h5", "--points", 50, "--skip-bad-images")
    assert result.exit_code == 0
    assert "Skipped: images/c.jpg: cannot be decoded" in result.stdout
    for path in [*images.glob("*.png"), *images.glob("*.jpg")]:
        path.unlink()
    result = features("--output", "g.h5")
    assert result.exit_code == 2
    assert "images: holds no image, expected .jpg" in result.stderr
    assert not (images.parent / "g.h5").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("a.png", "--features", "f.h5"), "A and B and --features do not go together"),
        (("--features", "f.h5", "--threshold", "2"), "--threshold and --features do not go"),
        ((), "Give two photographs A and B, or --features"),
        (("a.png", "b.png", "--pairs", "p"), "--pairs and --max-distance go with --features"),
        (("--features", "f.h5"), "--features: f.h5: is missing"),
    ],
)
def test_options_of_match_that_do_not_fit_together_are_refused(tmp_path, arguments, sentence):
    result = run("match", *arguments, "--output", "m.h5")
    assert result.exit_code == 2
    assert sentence in result.stderr.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


_VERIFY = """
pycolmap.geometric_verification(arguments[0])
with pycolmap.Database.open(arguments[0]) as opened:
    answer = [opened.num_matches(), opened.num_inlier_matches()]
"""


def test_castle_matches_agree_with_a_geometry_by_colmap(shared, tmp_path):
    for name in ("100_7102.jpg", "100_7103.jpg"):
        image = cv2.imread(str(shared / "scene/images" / name))
        (tmp_path / "images").mkdir(exist_ok=True)
        cv2.imwrite(f"images/{name}", cv2.resize(image, None, fx=0.5, fy=0.5))
    arguments = ("--detector", "sift", "--points", 1500, "--output", "scene.db")
    assert features(*arguments).exit_code == 0
    assert run("match", "--features", "scene.db", "--output", "scene.db").exit_code == 0
    matches, verified = ask(_VERIFY, "scene.db")
    assert matches > 200
    assert verified > 0.8 * matches

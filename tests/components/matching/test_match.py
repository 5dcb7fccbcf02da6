"""From two files to matches and a homography."""

import json

import cv2
import numpy as np
import pytest

from components.example_gen.formats import images
from components.example_gen.geometry import homography
from components.matching import ransac
from components.matching.descriptors import Descriptor
from components.matching.match import as_json, match_files, match_points
from components.matching.photograph import Photograph
from components.matching.points import Points
from components.matching.settings import MatchSettings
from tests.components.matching import photograph_pairs
from trainer.core.errors import UserError


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return photograph_pairs.write(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def result(files):
    return match_files(*files[:2], baseline="rootsift", true_homography=files[2])


def test_a_known_homography_is_found_again(result):
    (matched,) = result.descriptors
    right = matched.errors <= 3
    assert right.sum() > 60
    assert right.mean() > 0.8
    assert matched.inliers[right].mean() > 0.95
    assert matched.corner_error < 2
    assert matched.corner_error == ransac.corner_error(
        matched.fit.matrix, photograph_pairs.TRUE, photograph_pairs.SIZE
    )


def test_without_a_true_homography_nothing_is_called_right(files, result):
    blind = match_files(*files[:2], baseline="rootsift").descriptors[0]
    assert blind.errors is None
    assert blind.corner_error is None
    np.testing.assert_array_equal(blind.fit.matrix, result.descriptors[0].fit.matrix)


def test_a_true_homography_that_contradicts_the_matches_is_remarked_on(files, tmp_path, result):
    inverse = str(tmp_path / "H_2_1")
    np.savetxt(inverse, np.linalg.inv(photograph_pairs.TRUE))
    (note,) = match_files(*files[:2], baseline="rootsift", true_homography=inverse).notes
    assert note.startswith(f"{inverse}: does not fit") and "its inverse fits" in note
    assert result.notes == ()


def test_the_json_says_what_was_found(result):
    content = json.loads(json.dumps(as_json(result), allow_nan=False))
    (one,), matched = content["descriptors"], result.descriptors[0]
    assert content["photographs"][0]["points"] == result.points[0]
    assert content["photographs"][1]["size"] == [340, 320]
    assert one["matches"] == len(one["pairs"]) == len(matched)
    assert one["inliers"] == sum(row[-1] for row in one["pairs"]) == matched.inliers.sum()
    assert one["right"]["3"] == (matched.errors <= 3).sum()
    assert one["right"]["1"] <= one["right"]["3"] <= one["right"]["5"]
    places = np.array([row[:4] for row in one["pairs"]])
    errors = np.linalg.norm(
        homography.project(photograph_pairs.TRUE, places[:, :2]) - places[:, 2:], axis=1
    )
    np.testing.assert_allclose(errors, matched.errors, atol=1e-3)
    np.testing.assert_allclose(one["homography"], matched.fit.matrix, atol=1e-9)


def test_large_photographs_are_matched_shrunk_and_told_in_their_own_pixels(tmp_path, files):
    large = cv2.resize(cv2.imread(files[0], 0), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    (tmp_path / "a.png").write_bytes(images.encode_png(large))
    true = photograph_pairs.TRUE @ np.linalg.inv(homography.rescaling(np.array([3.0, 3.0])))
    np.savetxt(tmp_path / "H_1_2", true)
    result = match_files(
        str(tmp_path / "a.png"), files[1], baseline="rootsift",
        true_homography=str(tmp_path / "H_1_2"), settings=MatchSettings(max_side=320),
    )  # fmt: skip
    (matched,) = result.descriptors
    assert result.photographs[0].size == (320, 260)
    assert result.photographs[1].size == (320, 301)
    assert (matched.errors <= 3).sum() > 60
    told = np.array(as_json(result)["descriptors"][0]["homography"])
    assert ransac.corner_error(told, true, (960, 780)) < 3


def points(positions, patches):
    return Points(positions, np.zeros(12), np.ones(12, np.float32), patches)


def test_each_photographs_points_are_described_and_their_rows_matched():
    code = np.eye(12, dtype=np.float32)
    patches = np.arange(12, dtype=np.uint8)[:, None, None]  # a patch's only pixel is its code
    places = np.random.default_rng(1).uniform(20, 80, (12, 2))
    first = np.column_stack([places, np.ones(12)]).astype(np.float32)
    order = np.random.default_rng(2).permutation(12)
    second = first[order] + np.float32([5, 7, 0])
    descriptor = Descriptor("codes", "id", lambda values: code[values[:, 0, 0]])
    picture = Photograph("a.png", np.zeros((100, 100), np.uint8), (100, 100))
    truth = np.array([[1.0, 0, 5], [0, 1, 7], [0, 0, 1]])
    matched = match_points(
        descriptor, (picture, picture), (points(first, patches), points(second, patches[order])),
        MatchSettings(), truth,
    )  # fmt: skip
    np.testing.assert_array_equal(matched.matches.second, np.argsort(order))
    assert matched.inliers.all()
    assert matched.errors.max() < 1e-4
    np.testing.assert_allclose(matched.fit.matrix / matched.fit.matrix[2, 2], truth, atol=1e-3)


def test_nothing_to_describe_with_is_refused(files):
    with pytest.raises(UserError, match="expected a model, a baseline or both"):
        match_files(*files[:2])

"""Image pairs with known homographies, matched."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.example_gen.formats import images
from components.matching import points
from components.matching.pairs.evaluate import SETTINGS, evaluate_pairs
from tests.support.pictures import SHIFT, texture, write_sequence
from trainer.core.errors import UserError
from trainer.core.progress import listen


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Targets of `i_moved` are shifted copies; those of `v_other` show something else."""
    root = tmp_path_factory.mktemp("sequences")
    write_sequence(root / "i_moved", "png")
    folder = write_sequence(root / "v_other", "png", seed=3)
    for k in range(2, 7):
        (folder / f"{k}.png").write_bytes(images.encode_png(texture(210, 170, seed=40 + k)))
    return str(root)


@pytest.fixture(scope="module")
def result(data):
    return evaluate_pairs(data, baseline="rootsift")


def test_copies_match_and_other_pictures_do_not(result):
    (scored,) = result["descriptors"]
    moved, other = scored["sequences"]["i_moved"], scored["sequences"]["v_other"]
    assert moved["accuracy"]["3"] > 0.9 and moved["corner_auc"]["3"] > 0.9
    assert moved["homographies"] == 1.0 and moved["matches"] > 20
    assert moved["right"]["3"] <= moved["found_again"]
    assert moved["found_again"] > 2 * other["found_again"]
    assert other["accuracy"]["5"] < 0.1 and other["corner_auc"]["10"] == 0.0
    assert other["homographies"] == 0.0
    assert scored["by_kind"]["i"] == moved and scored["by_kind"]["v"] == other
    assert scored["mean"]["pairs"] == 10
    mean = (moved["accuracy"]["1"] + other["accuracy"]["1"]) / 2
    assert scored["mean"]["accuracy"]["1"] == pytest.approx(mean)


def test_a_homography_that_contradicts_the_matches_is_refused(data, tmp_path):
    folder = tmp_path / "i_moved"
    shutil.copytree(Path(data) / "i_moved", folder)
    np.savetxt(folder / "H_1_4", np.linalg.inv(np.loadtxt(folder / "H_1_4")))
    with pytest.raises(UserError, match=r"H_1_4: does not fit: .* its inverse fits"):
        evaluate_pairs(str(tmp_path), baseline="rootsift")


def test_every_pair_is_told_and_json_can_hold_it(result):
    content = json.loads(json.dumps(result, allow_nan=False))
    pairs = content["descriptors"][0]["pairs"]
    assert [(pair["sequence"], pair["target"]) for pair in pairs] == [
        (name, k) for name in ("i_moved", "v_other") for k in range(2, 7)
    ]
    assert pairs[0]["corner_error"] < 1 and pairs[-1]["corner_error"] is None
    assert content["settings"]["seed"] == 0 and content["settings"]["ratio"] == 1.0
    assert "jitter" not in content["extraction"]


def test_the_same_data_give_the_same_numbers(data, result):
    assert evaluate_pairs(data, baseline="rootsift") == result


def test_points_are_found_once_per_image_and_progress_is_told(data, monkeypatch):
    searched, original = [], points.find
    monkeypatch.setattr(
        points, "find", lambda image, *rest: searched.append(image.path) or original(image, *rest)
    )
    told = []
    with listen(told.append):
        evaluate_pairs(data, baseline="pixels")
    assert len(searched) == len(set(searched)) == 12
    assert [(event.done, event.total) for event in told] == [(0, 2), (1, 2), (2, 2)]


def test_large_images_are_judged_in_pixels_as_matched(tmp_path):
    folder = write_sequence(tmp_path / "data" / "v_large", "png")
    reference = cv2.resize(cv2.imread(str(folder / "1.png"), 0), None, fx=2, fy=2)
    (folder / "1.png").write_bytes(images.encode_png(reference))
    half = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])
    for k in range(2, 7):
        np.savetxt(folder / f"H_1_{k}", SHIFT @ half)
    settings = SETTINGS.model_copy(update={"max_side": 200})
    result = evaluate_pairs(str(tmp_path / "data"), baseline="rootsift", settings=settings)
    assert result["descriptors"][0]["mean"]["accuracy"]["3"] > 0.9


def test_sequences_of_fewer_images_are_matched(data, tmp_path):
    folder = Path(shutil.copytree(data, tmp_path / "data")) / "v_other"
    for k in (4, 5, 6):
        (folder / f"{k}.png").unlink()
        (folder / f"H_1_{k}").unlink()
    pairs = evaluate_pairs(str(tmp_path / "data"), baseline="pixels")["descriptors"][0]["pairs"]
    assert [pair["target"] for pair in pairs] == [2, 3, 4, 5, 6, 2, 3]


def test_nothing_to_describe_with_and_no_sequences_are_refused(tmp_path, data):
    with pytest.raises(UserError, match="expected a model, a baseline or both"):
        evaluate_pairs(data)
    with pytest.raises(UserError, match="found nothing to read"):
        evaluate_pairs(str(tmp_path), baseline="sift")


def test_a_model_that_says_nothing_of_itself_is_scored_with_a_remark(tmp_path, data):
    from tests.components.serving.serving_validator import tiny_model  # imports TensorFlow

    model = tmp_path / "bare"
    tiny_model.save(model)
    (model / "assets.extra" / "descriptor.json").unlink()
    result = evaluate_pairs(data, model=str(model))
    (remark,) = result["data"]["notes"]
    assert "points are cut by the default rules" in remark
    assert result["descriptors"][0]["descriptor_id"] is None


def test_a_model_that_was_trained_on_a_sequence_is_refused(tmp_path, data):
    extra = tmp_path / "assets.extra"
    extra.mkdir()
    (tmp_path / "saved_model.pb").write_text("graph")
    identity = {
        "sequences": {"train": ["v_other"]},
        "extraction": {"extraction": {}},
    }
    (extra / "descriptor.json").write_text(json.dumps(identity))
    with pytest.raises(UserError, match="trained on v_other"):
        evaluate_pairs(data, model=str(tmp_path))

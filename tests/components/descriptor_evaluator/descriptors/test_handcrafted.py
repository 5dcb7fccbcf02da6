"""Handcrafted descriptors: recipes and shapes."""

import cv2
import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import handcrafted, sift
from components.descriptor_evaluator.descriptors.sift import SiftRecipe
from trainer.core.errors import UserError


@pytest.fixture(scope="module")
def patches():
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 255, size=(20, 65, 65)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(patch, (0, 0), 4.0) for patch in noise]).astype(np.uint8)


def test_sift_is_opencvs_at_the_centre(patches):
    keypoint = cv2.KeyPoint(32.0, 32.0, 65 / 6, 0.0)
    expected = cv2.SIFT_create().compute(patches[3], [keypoint])[1][0]
    np.testing.assert_array_equal(handcrafted.describe("sift", patches)[3], expected)


def test_rootsift_is_the_root_of_the_l1_normalised_sift(patches):
    sift = handcrafted.describe("sift", patches)
    described = handcrafted.describe("rootsift", patches)
    np.testing.assert_allclose(described**2, sift / sift.sum(axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(described, axis=1), 1.0, atol=1e-6)


def test_smoothing_is_a_blur_of_the_patch(patches):
    blurred = np.stack([cv2.GaussianBlur(patch, (0, 0), 2.0) for patch in patches])
    for name in ("sift", "rootsift"):
        np.testing.assert_array_equal(
            handcrafted.describe(f"{name}-smoothed", patches, SiftRecipe(sigma=2.0)),
            handcrafted.describe(name, blurred),
        )


def test_size_and_border_are_parts_of_the_side(patches):
    border = cv2.copyMakeBorder(patches[3], 16, 16, 16, 16, cv2.BORDER_REPLICATE)
    keypoint = cv2.KeyPoint(48.0, 48.0, 13.0, 0.0)
    expected = cv2.SIFT_create().compute(border, [keypoint])[1][0]
    described = handcrafted.describe("sift-smoothed", patches, SiftRecipe(size=0.2, padding=0.25))
    np.testing.assert_array_equal(described[3], expected)


def test_a_recipe_is_only_for_those_that_choose_one(patches):
    for name in ("sift", "rootsift", "pixels"):
        np.testing.assert_array_equal(
            handcrafted.describe(name, patches, SiftRecipe(2.0, 0.2, 0.25)),
            handcrafted.describe(name, patches),
        )


def test_flat_patches_give_finite_descriptors():
    flat = np.full((2, 65, 65), 128, np.uint8)
    for name in handcrafted.BASELINES:
        assert np.isfinite(handcrafted.describe(name, flat)).all()


def test_pixels_are_area_means_brought_to_mean_zero_and_deviation_one(patches):
    described = handcrafted.describe("pixels", patches)
    small = cv2.resize(patches[5].astype(np.float32), (8, 8), interpolation=cv2.INTER_AREA)
    expected = ((small - small.mean()) / small.std()).ravel()
    np.testing.assert_allclose(described[5], expected, atol=1e-3)
    np.testing.assert_allclose(described.std(axis=1), 1.0, atol=1e-4)


def test_chunks_and_threads_do_not_change_the_result(patches, monkeypatch):
    whole = handcrafted.describe("rootsift", patches)
    monkeypatch.setattr(sift, "_CHUNK", 3)
    np.testing.assert_array_equal(handcrafted.describe("rootsift", patches), whole)


def test_sequences_come_out_variant_by_variant(patches):
    sequence = np.stack([patches[:16], patches[4:]])  # [2, 16, 65, 65]
    described = handcrafted.describe_sequence("pixels", sequence)
    assert described.shape == (16, 2, 64)
    np.testing.assert_array_equal(described[3, 1], handcrafted.describe("pixels", patches)[7])


def test_an_unknown_baseline_is_refused(patches):
    with pytest.raises(UserError, match="no baseline 'surf', expected one of rootsift"):
        handcrafted.describe("surf", patches)

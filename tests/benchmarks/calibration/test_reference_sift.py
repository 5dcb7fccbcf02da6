"""SIFT without blur, whose bins cover the patch."""

import cv2
import numpy as np
import pytest

from benchmarks.calibration import reference_sift
from components.descriptor_evaluator.descriptors import sift as opencv


@pytest.fixture(scope="module")
def patches():
    noise = np.random.default_rng(0).integers(0, 256, (40, 65, 65), dtype=np.uint8)
    return np.stack([cv2.GaussianBlur(each, (0, 0), 5) for each in noise])


def test_on_smooth_patches_it_is_opencvs(patches):
    ours = reference_sift.sift(patches).reshape(-1, 8, 4, 4)
    theirs = opencv.sift(patches).reshape(-1, 4, 4, 8)  # row, column, direction
    theirs = theirs / np.sqrt((theirs**2).sum((1, 2, 3), keepdims=True))
    # OpenCV counts directions upwards, where rows count downwards.
    theirs = theirs[..., -np.arange(8) % 8].transpose(0, 3, 1, 2)
    assert (theirs * ours).sum((1, 2, 3)).min() > 0.95


def test_a_ramp_has_one_direction():
    ramp = np.tile(np.arange(65, dtype=np.uint8), (1, 65, 1))
    (values,) = reference_sift.sift(ramp).reshape(-1, 8, 16)
    assert (values[0] > 0.1).all()
    assert np.allclose(values[1:], 0)


def test_both_have_length_one_and_see_no_contrast(patches):
    for describe in (reference_sift.sift, reference_sift.rootsift):
        values = describe(patches // 2)
        assert np.allclose(np.linalg.norm(values, axis=1), 1, atol=1e-5)
        assert np.allclose(values, describe(patches // 2 * 2), atol=1e-5)


def test_a_grey_patch_is_described_by_zeros():
    assert not reference_sift.rootsift(np.full((1, 65, 65), 9, np.uint8)).any()

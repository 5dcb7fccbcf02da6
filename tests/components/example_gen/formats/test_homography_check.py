"""Homographies that do not fit their images: told, with what would fit."""

import re

import cv2
import numpy as np
import pytest

from components.example_gen.formats import homography_check, images, sequences
from components.example_gen.settings import DataSettings
from tests.support.pictures import texture
from trainer.core.errors import UserError
from trainer.core.variants import VARIANTS

_VIEW = np.array([[0.9, 0.2, 10], [-0.15, 1.0, 90], [2e-4, 1e-4, 1]])


@pytest.fixture
def folder(tmp_path):
    """An image sequence of a textured plane, seen from elsewhere in each target."""
    folder = tmp_path / "v_x"
    folder.mkdir()
    reference = cv2.GaussianBlur(texture(480, 400), (0, 0), 1)
    (folder / "1.png").write_bytes(images.encode_png(reference))
    for k in range(2, 7):
        target = cv2.warpPerspective(reference, _VIEW, (520, 520))
        (folder / f"{k}.png").write_bytes(images.encode_png(target))
        np.savetxt(folder / f"H_1_{k}", _VIEW)
    return folder


def load(folder, **changes):
    (item,) = sequences.check(folder.name, (str(folder),), folder.name)
    return sequences.load(item, DataSettings(format="sequences", max_points=60, **changes))


def test_homographies_that_fit_pass_and_a_factor_changes_nothing(folder):
    patches = load(folder).patches
    assert (homography_check.agreement(patches) > 0.6).all()
    for k in range(2, 7):
        np.savetxt(folder / f"H_1_{k}", _VIEW * -3.7)
    np.testing.assert_array_equal(load(folder).patches, patches)


def test_the_inverse_direction_is_told(folder):
    for k in range(2, 7):
        np.savetxt(folder / f"H_1_{k}", np.linalg.inv(_VIEW))
    with pytest.raises(UserError, match=r"H_1_\d: does not fit: .* the inverse fits: .* invert it"):
        load(folder)


@pytest.mark.slow
def test_another_image_size_is_told_with_the_factor(folder):
    double = np.diag([2.0, 2.0, 1.0])
    np.savetxt(folder / "H_1_4", double @ _VIEW @ np.linalg.inv(double))
    told = re.escape("to diag(0.5, 0.5, 1) H diag(2, 2, 1)")
    with pytest.raises(UserError, match=rf"v_x/H_1_4: .* fits images 2 times as large: .*{told}"):
        load(folder)


@pytest.mark.slow
def test_a_homography_of_another_image_is_told_and_can_be_taken_as_it_is(folder):
    turned = cv2.rotate(cv2.imread(str(folder / "3.png"), 0), cv2.ROTATE_180)
    (folder / "3.png").write_bytes(images.encode_png(turned))
    with pytest.raises(UserError, match=r"v_x/H_1_3: .* neither the inverse nor a scaled one"):
        load(folder)
    assert len(load(folder, check_homographies=False))


def test_agreement_is_the_median_correlation_of_each_target():
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (3, len(VARIANTS), 65, 65), dtype=np.uint8)
    patches[:, 1] = patches[:, 0]
    patches[:2, 2] = 255 - patches[:2, 0]
    correlations = homography_check.agreement(patches)
    np.testing.assert_allclose(correlations[:2], [1, -1], atol=1e-5)
    assert (np.abs(correlations[2:]) < 0.1).all()


@pytest.mark.slow
def test_real_sequences_agree_by_far(shared):
    settings = DataSettings(format="sequences", max_points=100)
    for name in ("i_trees", "v_wall"):
        folder = shared / "sequences" / name
        (item,) = sequences.check(name, (str(folder),), name)
        agreed = homography_check.agreement(sequences.load(item, settings).patches)
        assert (agreed > 1.5 * homography_check.LEAST_AGREEMENT).all()

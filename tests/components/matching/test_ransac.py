"""Homographies from matches, of which some are wrong."""

import numpy as np
import pytest

from components.example_gen.geometry import homography
from components.matching import ransac
from components.matching.settings import LEAST_INLIERS

SIZE = (640, 480)
TRUE = np.array([[0.9, -0.2, 60], [0.15, 1.05, -20], [1e-4, -2e-4, 1]])


def matches(right, wrong, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    first = rng.uniform((0, 0), SIZE, (right + wrong, 2))
    second = homography.project(TRUE, first)
    second[:right] += noise * rng.standard_normal((right, 2))
    second[right:] = rng.uniform((0, 0), SIZE, (wrong, 2))
    return first, second


def test_the_homography_is_found_among_twice_as_many_wrong_matches():
    first, second = matches(100, 200)
    fitted = ransac.fit(first, second, SIZE, threshold=3.0, seed=0)
    assert fitted.inliers[:100].all()
    assert fitted.inliers[100:].sum() <= 3
    assert ransac.corner_error(fitted.matrix, TRUE, SIZE) < 1.0


def test_inliers_are_those_within_the_threshold():
    first, second = matches(60, 60, noise=2.0)
    fitted = ransac.fit(first, second, SIZE, threshold=2.5, seed=0)
    errors = ransac.transfer_errors(fitted.matrix, first, second, SIZE)
    np.testing.assert_array_equal(fitted.inliers, errors <= 2.5)
    assert 20 < fitted.inliers.sum() < 65


def test_the_same_seed_gives_the_same_homography():
    first, second = matches(30, 90, noise=1.0)
    one, other = (ransac.fit(first, second, SIZE, 3.0, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.matrix, other.matrix)
    np.testing.assert_array_equal(one.inliers, other.inliers)


def test_ten_matches_that_agree_are_enough_and_fewer_or_chance_are_not():
    assert ransac.fit(*matches(10, 0, noise=0), SIZE, 3.0, seed=0).inliers.sum() == 10
    for count in range(10):
        assert ransac.fit(*matches(count, 0, noise=0), SIZE, 3.0, seed=0) is None
    for seed in range(5):
        assert ransac.fit(*matches(0, 100, seed), SIZE, 3.0, seed=0) is None


def test_matches_on_one_line_or_in_one_place_end_well():
    line = np.stack([np.arange(50.0), 2 * np.arange(50.0)], axis=1)
    spot = np.full((50, 2), 7.0)
    for first, second in ((line, line + 3), (spot, spot), (line, spot)):
        fitted = ransac.fit(first, second, SIZE, 3.0, seed=0)
        assert fitted is None or fitted.inliers.sum() >= LEAST_INLIERS


def test_errors_are_distances_in_the_second_photograph():
    doubled = np.diag([2.0, 2.0, 1.0])
    first, second = np.array([[10.0, 20], [5, 5]]), np.array([[23.0, 44], [10, 10]])
    assert ransac.transfer_errors(doubled, first, second, SIZE).tolist() == [5.0, 0.0]
    # A homography is known up to a factor, which may be negative.
    assert ransac.transfer_errors(-3 * doubled, first, second, SIZE).tolist() == [5.0, 0.0]


def test_what_lies_behind_the_camera_is_infinitely_far_off():
    horizon = np.array([[1.0, 0, 0], [0, 1, 0], [-1 / 500, 0, 1]])  # passes through x = 500
    places = np.array([[100.0, 10], [600, 10]])
    errors = ransac.transfer_errors(horizon, places, np.zeros((2, 2)), SIZE)
    assert np.isfinite(errors).tolist() == [True, False]


def test_the_corner_error_of_a_shift_is_its_length():
    shift = np.array([[1.0, 0, 3], [0, 1, -4], [0, 0, 1]])
    assert ransac.corner_error(shift, np.eye(3), SIZE) == pytest.approx(5.0)
    assert ransac.corner_error(shift, shift, SIZE) == 0

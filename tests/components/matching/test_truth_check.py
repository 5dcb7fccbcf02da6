"""Given homographies against what matches agree on."""

import numpy as np
import pytest

from components.example_gen.geometry import homography
from components.matching import truth_check
from components.matching.ransac import Fit

SIZE = (400, 300)
TRUE = np.array([[0.9, -0.2, 60], [0.25, 0.95, -15], [1e-4, 5e-5, 1]])


def contradiction(given, matches=100, agreeing=80):
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 300, (matches, 2))
    second = homography.project(TRUE, first) + rng.normal(0, 0.5, (matches, 2))
    inliers = np.arange(matches) < agreeing
    second[~inliers] = rng.uniform(0, 300, (matches - agreeing, 2))
    return truth_check.contradiction(given, first, second, Fit(TRUE, inliers), SIZE)


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (np.linalg.inv(TRUE), "its inverse fits"),
        (homography.rescaled(TRUE, 2), "fits images 2 times as large"),
        (homography.rescaled(TRUE, 1 / 3), "fits images 0.333 times as large"),
        (np.eye(3), "check that it belongs"),
        (np.array([[1, 0, 12], [0, 1, 0], [0, 0, 1]]) @ TRUE, "check that it belongs"),
    ],
)
def test_what_does_not_fit_is_told_with_what_would(given, advice):
    said = contradiction(given)
    assert "80 of 100 matches agree on another homography" in said
    assert advice in said


@pytest.mark.parametrize("factor", [1, -2.5, 1e-6])
def test_the_true_one_fits_times_any_factor(factor):
    assert contradiction(factor * TRUE) == ""


@pytest.mark.parametrize(("matches", "agreeing"), [(29, 29), (200, 50)])
def test_few_matches_contradict_nothing(matches, agreeing):
    assert contradiction(np.linalg.inv(TRUE), matches, agreeing) == ""

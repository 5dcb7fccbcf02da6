import math

import numpy as np
import pytest

from components.matching.pairs.scores import (
    PairScore,
    area_under_errors,
    found_again,
    matching_accuracy,
    summarise,
)


def test_accuracy_counts_matches_up_to_each_limit():
    assert matching_accuracy(np.array([1.0, 1.1, 3.0, 5.0, math.inf])) == (0.2, 0.6, 0.8)


def test_points_count_as_found_again_up_to_three_pixels_and_once():
    second = np.array([[10.0, 10.0], [200.0, 0.0]])
    assert found_again(np.array([[13.0, 10.0]]), second) == 1
    assert found_again(np.array([[13.1, 10.0]]), second) == 0
    assert found_again(np.array([[11.0, 10.0], [9.0, 10.0], [10.0, 12.0]]), second) == 1
    assert found_again(second, second) == 2
    assert found_again(np.zeros((0, 2)), second) == found_again(second, np.zeros((0, 2))) == 0


def test_without_matches_nothing_is_right():
    assert matching_accuracy(np.zeros(0)) == (0.0, 0.0, 0.0)


def test_area_by_hand():
    # Errors 1, 3 and a failure, up to 4: the curve runs (0, 0), (1, 1/3), (3, 2/3), (4, 2/3).
    area = 0.5 * (0 + 1 / 3) * 1 + 0.5 * (1 / 3 + 2 / 3) * 2 + 2 / 3 * 1
    assert area_under_errors([3.0, math.inf, 1.0], 4.0) == pytest.approx(area / 4)


def test_area_of_perfect_and_failed_pairs():
    assert area_under_errors([0.0, 0.0], 3.0) == 1.0
    assert area_under_errors([math.inf, 3.0], 3.0) == 0.0  # an error at the limit counts nothing
    assert math.isnan(area_under_errors([], 3.0))


def test_the_summary_takes_the_mean_over_pairs():
    scores = [
        PairScore("v_a", "v", 2, 100, 90, (0.5, 0.8, 0.9), 1.0),
        PairScore("v_a", "v", 3, 10, 5, (0.1, 0.2, 0.5), math.inf),
    ]
    summary = summarise(scores)
    assert summary["pairs"] == 2
    assert summary["matches"] == 55.0
    assert summary["found_again"] == 47.5
    assert summary["accuracy"] == pytest.approx({"1": 0.3, "3": 0.5, "5": 0.7})
    assert summary["right"] == pytest.approx({"1": 25.5, "3": 41.0, "5": 47.5})
    # (0, 0) to (1, 1/2), then level.
    assert summary["corner_auc"]["3"] == pytest.approx((0.25 + 0.5 * 2) / 3)
    assert summary["corner_auc"]["10"] == pytest.approx((0.25 + 0.5 * 9) / 10)
    assert summary["homographies"] == 0.5

import numpy as np
import pytest

from components.matching.brown.false_positives import false_positive_rate


def rate(same, different):
    values = np.concatenate([same, different]).astype(float)
    return false_positive_rate(values, np.arange(len(values)) < len(same))


def test_by_hand():
    # 95 % of 40 matches are 38: the threshold is the 38th distance, 38. Of eight other pairs,
    # three (10, 37.5 and exactly 38) are as near.
    others = [10.0, 37.5, 38.0, 38.5, 41.0, 60.0, 70.0, 80.0]
    assert rate(np.arange(1, 41), others) == 3 / 8


@pytest.mark.parametrize(
    ("same", "different", "expected"),
    [
        (np.arange(1, 11), [9.5, 11.0], 0.5),  # recall is rounded up: 95 % of 10 are 10
        ([1.0], [0.5, 1.0, 2.0, 3.0], 0.5),
        (np.linspace(0, 1, 50), np.linspace(2, 3, 50), 0.0),
        (np.linspace(2, 3, 50), np.linspace(0, 1, 50), 1.0),
        # What is equal or not finite gains nothing.
        (np.zeros(50), np.zeros(50), 1.0),
        ([1.0] * 18 + [np.nan] * 2, [5.0, np.inf], 1.0),
        ([1.0] * 19 + [np.nan], [0.5, 5.0, np.nan, np.inf], 0.25),
    ],
)
def test_rates(same, different, expected):
    assert rate(same, different) == expected


@pytest.mark.parametrize("count", range(1, 400, 7))
def test_the_threshold_holds_at_least_95_per_cent_and_no_smaller_one_does(count):
    same = np.random.default_rng(count).permutation(count).astype(float)
    threshold = next(t for t in range(count) if (same <= t).sum() * 100 >= 95 * count)
    assert rate(same, np.arange(-1, count + 1)) == (threshold + 2) / (count + 2)


def test_pairs_of_one_kind_are_refused():
    with pytest.raises(ValueError, match="both kinds"):
        false_positive_rate(np.ones(3), np.ones(3, bool))

"""The hardest triplets, on four points of a line."""

import numpy as np
import pytest

from trainer.reporting import triplets

# Two patches each of three points, on a line: a 0 and 1, b 1.5 and 8, c 20 and 21.
_LINE = np.array([[0.0], [1.0], [1.5], [8.0], [20.0], [21.0]], np.float32)


def _hardest() -> triplets.Triplets:
    return triplets.hardest(triplets.distances(_LINE), 2)


def test_distances_of_all_pairs():
    expected = np.abs(_LINE - _LINE.T)
    np.testing.assert_allclose(triplets.distances(_LINE), expected, atol=1e-9)


def test_pairs_of_one_point_are_positive():
    positive, negative = triplets.pair_distances(triplets.distances(_LINE), 2)
    assert sorted(positive.tolist()) == pytest.approx([1, 1, 6.5])
    assert sorted(negative.tolist()) == pytest.approx(
        [0.5, 1.5, 7, 8, 12, 13, 18.5, 19, 19.5, 20, 20, 21]
    )


def test_each_patch_has_its_farthest_positive_and_nearest_negative():
    chosen = _hardest()
    assert chosen.anchor.tolist() == [0, 1, 2, 3, 4, 5]
    assert chosen.positive.tolist() == [1, 0, 3, 2, 5, 4]
    assert chosen.negative.tolist() == [2, 2, 1, 1, 3, 3]
    assert chosen.positive_distance == pytest.approx([1, 1, 6.5, 6.5, 1, 1])
    assert chosen.negative_distance == pytest.approx([1.5, 0.5, 0.5, 7, 12, 13])
    assert chosen.right.tolist() == [True, False, False, True, True, True]
    of_three = triplets.hardest(triplets.distances(_LINE), 3)
    assert of_three.positive.tolist()[:3] == [2, 0, 0]
    assert of_three.negative.tolist()[:3] == [3, 3, 3]
    equal = triplets.hardest(np.zeros((4, 4)), 2)  # which are nobody's own positive
    assert equal.positive.tolist() == [1, 0, 3, 2]


def test_the_worst_come_first_and_one_per_point():
    # Excess of the positive: a -0.5 and 0.5; b 6 and -0.5; c -11 and -12.
    chosen = triplets.worst(_hardest(), 2, 5)
    assert chosen.anchor.tolist() == [2, 1, 4]
    assert chosen.negative.tolist() == [1, 2, 3]
    assert triplets.worst(_hardest(), 2, 1).anchor.tolist() == [2]

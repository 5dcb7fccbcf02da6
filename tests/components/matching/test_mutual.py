"""Mutual nearest neighbours and the ratio test, on descriptors of one or two numbers."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from components.matching import mutual


def pairs(first, second, ratio=1.0):
    matched = mutual.match(np.float32(first), np.float32(second), ratio)
    return list(zip(matched.first.tolist(), matched.second.tolist(), strict=True))


def test_only_mutual_neighbours_match():
    # 0 -> 1 and 2 -> 1, but 1's nearest is 2: (0, .) has no match.
    first, second = [[0], [10], [3]], [[11], [4]]
    assert pairs(first, second) == [(1, 0), (2, 1)]


def test_distance_and_ratio_are_those_of_the_first_photographs_descriptors():
    matched = mutual.match(np.float32([[0, 0]]), np.float32([[3, 4], [0, 10], [20, 0]]), 1.0)
    assert matched.distance.tolist() == [5.0]
    assert matched.ratio.tolist() == [0.5]


@pytest.mark.parametrize(("ratio", "kept"), [(1.0, 1), (0.5, 1), (0.49, 0)])
def test_the_limit_of_the_ratio_is_included(ratio, kept):
    assert len(pairs([[0.0]], [[2.0], [4.0]], ratio)) == kept


def test_the_ratio_is_tested_from_both_sides():
    # From 0 the rival is far (1 : 9); from 1 there is another as near as 0 is (1 : 1.5).
    first, second = [[0.0], [2.5]], [[1.0], [9.0]]
    assert pairs(first, second, 0.6) == pairs(second, first, 0.6) == []
    assert pairs(first, second, 0.7) == pairs(second, first, 0.7) == [(0, 0)]
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 300, 8)).astype(np.float32)
    assert pairs(a, b, 0.95) == sorted((i, j) for j, i in pairs(b, a, 0.95))


@pytest.mark.parametrize(("distance", "kept"), [(2.0, 1), (1.99, 0)])
def test_the_limit_of_the_distance_is_included(distance, kept):
    assert len(mutual.match(np.float32([[0]]), np.float32([[2]]), 1.0, distance)) == kept


def test_a_single_descriptor_has_no_rival_and_none_match_nothing():
    assert pairs([[0.0]], [[1.0]], 0.1) == [(0, 0)]
    for n, m in ((0, 0), (0, 3), (3, 0)):
        none = mutual.match(np.zeros((n, 4), np.float32), np.zeros((m, 4), np.float32), 0.9)
        assert len(none) == 0
        assert none.first.dtype == np.int64


def test_equal_descriptors_cannot_be_told_apart():
    same = np.ones((4, 8), np.float32)
    assert len(mutual.match(same, same, 0.99)) == 0
    assert mutual.match(same, same, 1.0).ratio.tolist() == [1.0]


def test_what_is_not_finite_matches_nothing():
    first, second = [[np.nan], [5.0], [np.inf]], [[np.nan], [6.0], [0.0]]
    assert pairs(first, second) == [(1, 1)]
    assert pairs([[np.nan]], second) == []


def test_many_blocks_agree_with_the_whole_distance_matrix():
    rng = np.random.default_rng(0)
    first = rng.standard_normal((1500, 16)).astype(np.float32)
    second = np.concatenate([first[:700] + 0.6 * rng.standard_normal((700, 16)),
                             rng.standard_normal((900, 16))]).astype(np.float32)  # fmt: skip
    distance = cdist(first, second)
    nearest = distance.argmin(1)
    there, back = np.sort(distance, axis=1), np.sort(distance, axis=0)
    ratio = np.maximum(there[:, 0] / there[:, 1], (back[0] / back[1])[nearest])
    wanted = (distance.argmin(0)[nearest] == np.arange(1500)) & (ratio <= 0.8)
    matched = mutual.match(first, second, 0.8)
    assert 100 < wanted.sum() < 1000
    np.testing.assert_array_equal(matched.first, np.flatnonzero(wanted))
    np.testing.assert_array_equal(matched.second, nearest[wanted])
    np.testing.assert_allclose(matched.ratio, ratio[wanted], rtol=1e-6)

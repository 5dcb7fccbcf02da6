"""The ratio and the distance that a model's matches are held to."""

import numpy as np
import pytest

from trainer.core.variants import VARIANTS
from trainer.model.patch_identity import MatchingRule
from trainer.reporting import matching_rule


def sequence(noise, count=150, seed=0, dimension=16):
    """Unit vectors, and what they are described as in other images."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((count, dimension))
    others = points + noise * rng.standard_normal((len(VARIANTS), count, dimension))
    others[0] = points
    return (others / np.linalg.norm(others, axis=-1, keepdims=True)).astype(np.float32)


def wrong_and_right(rule, descriptors):
    """Counts matches of photographs that share a third of their points, by brute force."""
    counts = np.zeros(2, int)
    count = descriptors.shape[1]
    first = [i for i in range(count) if i % 3 < 2]
    second = [i for i in range(count) if i % 3 > 0]
    for variant in descriptors[1:]:
        a, b = descriptors[0][first], variant[second]
        distance = np.linalg.norm(a[:, None] - b[None], axis=2)
        for i, j in enumerate(distance.argmin(1)):
            rivals = np.delete(distance[i], j).min(), np.delete(distance[:, j], i).min()
            if distance[:, j].argmin() == i and distance[i, j] <= rule.ratio * min(rivals):
                counts[int(first[i] == second[j])] += 1
    return counts


@pytest.mark.parametrize("noise", [0.4, 0.6])
def test_nine_of_ten_matches_are_right_at_the_ratio(noise):
    descriptors = sequence(noise)
    rule = matching_rule.choose({"v_a": descriptors})
    assert 0.5 < rule.ratio < 1
    wrong, right = wrong_and_right(rule, descriptors)
    assert right / (wrong + right) == pytest.approx(0.9, abs=0.01)
    looser = MatchingRule(ratio=rule.ratio + 0.02)
    wrong, right = wrong_and_right(looser, descriptors)
    assert right / (wrong + right) < 0.9


def test_the_distance_is_one_that_right_matches_hardly_exceed():
    descriptors = sequence(0.4)
    rule = matching_rule.choose({"v_a": descriptors})
    apart = np.linalg.norm(descriptors[1:] - descriptors[0], axis=2)
    assert np.median(apart) < rule.max_distance < apart.max()


def test_sequences_of_a_kind_are_one_photograph():
    apart = {f"v_{seed}": sequence(0.5, 60, seed) for seed in range(3)}
    together = {"v_all": np.concatenate([apart[name] for name in sorted(apart)], axis=1)}
    assert matching_rule.choose(apart) == matching_rule.choose(together)
    kinds = {"v_a": sequence(0.5, 90), "i_a": sequence(0.5, 90)}  # one place, seen twice
    alone = matching_rule.choose({"v_a": kinds["v_a"]})
    assert matching_rule.choose(kinds).ratio == alone.ratio


def test_equal_descriptors_of_equal_points_are_no_mistake():
    rule = matching_rule.choose({"v_a": sequence(0.0, 90)})
    assert (rule.ratio < 1, rule.max_distance) == (True, 0.001)


@pytest.mark.parametrize(
    "descriptors",
    [
        {"v_a": sequence(0.4, 4)},
        {"v_a": sequence(0.4, 1)},
        {"v_a": np.random.default_rng(0).standard_normal((16, 150, 16))},
        {"v_a": np.full((16, 150, 8), np.nan)},
    ],
)
def test_too_few_right_matches_choose_nothing(descriptors):
    assert matching_rule.choose(descriptors) == MatchingRule()

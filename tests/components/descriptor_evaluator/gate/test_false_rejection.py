import math

import numpy as np
import pytest

from components.descriptor_evaluator.gate.false_rejection import false_rejection_rate
from components.descriptor_evaluator.statistics.intervals import scene_totals


def differences(deviation, scenes=40, seed=0, mean=0.0):
    values = np.random.default_rng(seed).normal(size=scenes)
    values = mean + deviation * (values - values.mean()) / values.std(ddof=1)
    return scene_totals([f"s{number:02d}" for number in range(scenes)], values)


def share(totals, mode="point", delta=0.01):
    return false_rejection_rate(totals, [delta] * len(totals), mode, resamples=2000)


def test_with_little_scatter_only_the_level_of_the_test_is_left():
    assert share([differences(0.005)]) == pytest.approx(0.05, abs=0.002)


def test_holm_keeps_the_level_over_several_slices():
    several = [differences(0.005, seed=seed) for seed in range(4)]
    assert 0.03 < share(several) <= 0.05
    same = [differences(0.005)] * 4  # all slices say the same: a quarter of the level is used
    assert share(same) == pytest.approx(0.0125, abs=0.002)


def test_scatter_beyond_delta_adds_refusals_by_the_means():
    # The mean of 40 scenes has the error 0.01: it is below -delta in 16 % of cases.
    assert share([differences(0.01 * math.sqrt(40))]) == pytest.approx(0.16, abs=0.03)


def test_the_lower_bound_refuses_most_of_what_it_cannot_tell():
    wide = [differences(0.01 * math.sqrt(40))]
    # Passing asks for an estimate more than 0.68 errors above 0: 25 % of cases.
    assert share(wide, "lower_bound") == pytest.approx(0.75, abs=0.04)
    assert share([differences(0.005)], "lower_bound") == pytest.approx(0.05, abs=0.01)


def test_the_measured_difference_itself_does_not_matter():
    shares = [share([differences(0.02, mean=mean)]) for mean in (-0.1, 0.0, 0.1)]
    assert shares[0] == shares[1] == shares[2]


def test_too_few_scenes_are_not_judged_or_always_refused():
    assert math.isnan(share([differences(0.01, scenes=7)]))
    assert share([differences(0.01, scenes=9)], "lower_bound") == 1.0
    assert math.isnan(share([scene_totals([], [])]))


def test_slices_of_different_scenes_and_broken_ones_are_not_judged():
    assert math.isnan(share([differences(0.01, scenes=40), differences(0.01, scenes=39)]))
    assert math.isnan(share([scene_totals(list("abcdefgh"), [math.nan] * 8)]))


def test_models_that_agree_everywhere_are_never_refused():
    assert share([scene_totals(list("abcdefghijkl"), np.zeros(12))], "lower_bound") == 0.0


@pytest.mark.parametrize("scenes", [10, 12, 20, 40])
def test_resamples_without_the_scene_that_differs_are_not_refused_for_rounding(scenes):
    counts = [3 + 7 * number % 11 for number in range(scenes)]
    names = [f"s{number:02d}" for number, count in enumerate(counts) for _ in range(count)]
    values = [0.101 if name == names[-1] else 0.1 for name in names]
    totals = scene_totals(names, values)
    assert share([totals]) <= 0.06
    assert share([totals], "lower_bound") < 0.2


def test_models_that_differ_by_the_same_everywhere_are_never_refused():
    names = [f"s{number:02d}" for number in range(12) for _ in range(number + 1)]
    assert share([scene_totals(names, np.full(len(names), 0.1))]) == 0.0

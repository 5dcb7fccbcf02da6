import dataclasses

import numpy as np
import pytest
from scipy import stats

from components.descriptor_evaluator.statistics.intervals import (
    BOOTSTRAP_SCENES,
    SceneTotals,
    holm,
    known_errors,
    mean_interval,
    paired_difference,
    resampled_errors,
    scene_totals,
)


def _one_each(values):
    return scene_totals([f"s{i:03d}" for i in range(len(values))], values)


def test_totals_are_summed_by_scene_in_name_order():
    totals = scene_totals(["b", "a", "b", "c"], [1.0, 2.0, 3.0, 10.0])
    assert totals.scenes == ("a", "b", "c")
    assert totals.sums.tolist() == [2.0, 4.0, 10.0]
    assert totals.counts.tolist() == [1.0, 2.0, 1.0]
    assert totals.mean == 4.0  # flat over the four values, not over the three scenes


def test_few_scenes_get_the_t_interval_of_scene_means():
    # Means 0.2 0.4 0.6 0.8: mean 0.5, deviation 0.2582, error 0.1291, t(3) = 3.1824.
    interval = mean_interval(_one_each([0.2, 0.4, 0.6, 0.8]))
    assert interval.method == "t"
    assert interval.scenes == 4
    assert interval.low == pytest.approx(0.5 - 3.182446 * 0.1290994, abs=1e-6)
    assert interval.high == pytest.approx(0.5 + 3.182446 * 0.1290994, abs=1e-6)


def test_the_bootstrap_begins_with_as_many_scenes_as_it_wants():
    values = np.random.default_rng(0).uniform(0.2, 0.8, BOOTSTRAP_SCENES)
    assert mean_interval(_one_each(values)).method == "bootstrap"
    assert mean_interval(_one_each(values[1:])).method == "t"


def test_rows_of_one_scene_count_as_one():
    once = mean_interval(_one_each([0.2, 0.4, 0.9]))
    repeated = mean_interval(
        scene_totals(["s000"] * 5 + ["s001"] * 5 + ["s002"] * 5, [0.2] * 5 + [0.4] * 5 + [0.9] * 5)
    )
    assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high), abs=1e-12)


def test_unequal_counts_use_the_error_of_the_ratio():
    # Sums 1, 4 over 1, 2 rows: mean 5/3; residuals -2/3, 2/3; error = sqrt((8/9)/2) / 1.5.
    interval = mean_interval(scene_totals(["a", "b", "b"], [1.0, 2.0, 2.0]))
    error = np.sqrt((8 / 9) / 2) / 1.5
    assert interval.mean == pytest.approx(5 / 3)
    assert interval.high - interval.mean == pytest.approx(stats.t.ppf(0.975, 1) * error)


@pytest.mark.parametrize("values", [[], [0.5], [0.5, np.nan]])
def test_without_two_finite_scenes_there_is_no_interval(values):
    interval = mean_interval(_one_each(values))
    assert interval.method == "none"
    assert np.isnan(interval.low) and np.isnan(interval.high)


def test_the_same_seed_gives_the_same_bootstrap_and_another_seed_a_close_one():
    values = np.random.default_rng(3).normal(0.7, 0.1, 20)
    first, again = (mean_interval(_one_each(values), seed=5) for _ in range(2))
    other = mean_interval(_one_each(values), seed=6)
    assert first == again
    assert first.method == "bootstrap"
    assert first.high != other.high
    assert first.high == pytest.approx(other.high, abs=0.01)


def test_bootstrap_of_a_normal_sample_is_close_to_t():
    values = np.random.default_rng(4).normal(0.0, 1.0, 200)
    interval = mean_interval(_one_each(values), resamples=20000)
    error = values.std(ddof=1) / np.sqrt(200)
    assert interval.high - interval.mean == pytest.approx(stats.t.ppf(0.975, 199) * error, rel=0.06)


def test_difference_is_paired_by_scene():
    base = np.array([0.1, 0.5, 0.9])
    difference = paired_difference(_one_each(base + np.array([0.01, 0.02, 0.03])), _one_each(base))
    # Differences 0.01 0.02 0.03: mean 0.02, error 0.0057735, t(2): 2.91999 one-sided.
    assert difference.mean == pytest.approx(0.02)
    assert difference.lower == pytest.approx(0.02 - 2.919986 * 0.0057735, abs=1e-6)
    assert difference.low < difference.lower < difference.mean < difference.high
    assert difference.p_worse == pytest.approx(stats.t.cdf(0.02 / 0.0057735, 2), abs=1e-4)


def test_the_interval_covers_the_same_whatever_the_bound():
    values, zeros = _one_each([0.01, 0.02, 0.03]), _one_each([0.0, 0.0, 0.0])
    usual, strict = (paired_difference(values, zeros, confidence) for confidence in (0.95, 0.99))
    assert strict.lower < usual.lower
    assert (strict.low, strict.high) == (usual.low, usual.high)


def test_difference_of_other_units_is_refused():
    with pytest.raises(ValueError, match="same units"):
        paired_difference(_one_each([0.1, 0.2]), _one_each([0.1, 0.2, 0.3]))


def test_what_agrees_has_an_interval_of_no_width():
    interval = mean_interval(_one_each([0.1 + 0.2] * 12))
    assert (interval.method, interval.low, interval.high) == ("exact", *[interval.mean] * 2)
    totals = _one_each(np.linspace(0.1, 0.9, 12))
    difference = paired_difference(totals, totals)
    assert (difference.mean, difference.lower, difference.p_worse) == (0.0, 0.0, 1.0)


def test_a_clear_loss_is_significant_and_a_clear_gain_is_not():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.3, 0.9, 20)
    noise = rng.normal(0.0, 0.005, 20)
    worse = paired_difference(_one_each(base - 0.02 + noise), _one_each(base))
    better = paired_difference(_one_each(base + 0.02 + noise), _one_each(base))
    assert worse.p_worse < 0.001
    assert better.p_worse > 0.999


@pytest.mark.parametrize("size", [5, 8, 12])
def test_intervals_cover_the_truth_about_as_often_as_they_say(size):
    rng = np.random.default_rng([7, size])
    inside, above = 0, 0
    trials = 400
    for trial in range(trials):
        values = _one_each(rng.normal(0.0, 1.0, size))
        zeros = _one_each(np.zeros(size))
        interval = paired_difference(values, zeros, resamples=400, seed=trial)
        inside += interval.low <= 0.0 <= interval.high
        above += interval.lower > 0.0
    # Binomial standard errors at 400 trials: 1.1 % each.
    assert 0.915 <= inside / trials <= 0.99
    assert above / trials <= 0.08


def test_holm_by_hand():
    # Sorted .01 .02 .03 .2 times 4 3 2 1: .04 .06 .06 .2.
    assert holm([0.02, 0.2, 0.01, 0.03]).tolist() == pytest.approx([0.06, 0.2, 0.04, 0.06])
    assert holm([]).tolist() == []
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]


def _one_differs(scenes, agreeing=0.1):
    """All scenes but the last agree; their numbers of rows differ."""
    counts = [3 + 7 * number % 11 for number in range(scenes)]
    names = [f"s{number:02d}" for number, count in enumerate(counts) for _ in range(count)]
    values = [0.3 if name == f"s{scenes - 1:02d}" else agreeing for name in names]
    return scene_totals(names, values)


@pytest.mark.parametrize("scenes", [10, 12, 20, 40])
def test_a_scene_that_alone_differs_leaves_the_bounds_sane(scenes):
    totals = _one_differs(scenes)
    interval = paired_difference(totals, dataclasses.replace(totals, sums=0.0 * totals.sums))
    assert interval.method == "bootstrap"
    for value in (interval.lower, interval.low, interval.high):
        assert abs(value - interval.mean) < 1.0
    assert interval.low <= interval.lower <= interval.mean <= interval.high
    assert 0.0 < interval.p_better <= 1.0


def test_a_resample_that_shows_no_error_is_not_known():
    totals = _one_differs(12)
    shift, errors = resampled_errors(totals, 4000, 0)
    known = known_errors(errors, float(np.sqrt((shift**2).mean())))
    without = (11 / 12) ** 12  # of the resamples leave the scene out that differs
    assert 1.0 - known.mean() == pytest.approx(without, abs=0.03)
    assert np.abs(shift[known] / errors[known]).max() < 100


def test_without_a_resample_that_shows_an_error_t_is_left():
    totals = _one_differs(12)
    seed = next(seed for seed in range(100) if resampled_errors(totals, 1, seed)[1][0] < 1e-6)
    assert mean_interval(totals, resamples=1, seed=seed).method == "t"


def skewed(scenes: int = 12) -> SceneTotals:
    """Totals of unequally many values per scene, with a long tail on one side."""
    rng = np.random.default_rng(5)
    counts = rng.integers(1, 9, scenes).astype(np.float64)
    sums = counts * (0.3 + rng.exponential(0.1, scenes) ** 2)
    return SceneTotals(tuple(f"{number:02d}" for number in range(scenes)), sums, counts)


def ratio_error(sums: np.ndarray, counts: np.ndarray) -> float:
    """The standard error of the mean over all values, scenes being drawn whole."""
    residuals, size = sums - sums.sum() / counts.sum() * counts, len(sums)
    return float(np.sqrt((residuals**2).sum() / (size * (size - 1))) / counts.mean())


def test_resampled_means_and_errors_are_those_of_the_drawn_scenes():
    totals, resamples, seed = skewed(), 50, 3
    shifts, errors = resampled_errors(totals, resamples, seed)
    size = len(totals.scenes)
    rng = np.random.default_rng([seed, size])
    for draw, times in enumerate(rng.multinomial(size, np.full(size, 1 / size), size=resamples)):
        drawn = np.repeat(np.arange(size), times)
        sums, counts = totals.sums[drawn], totals.counts[drawn]
        mean = sums.sum() / counts.sum()
        assert shifts[draw] == pytest.approx(mean - totals.mean, abs=1e-12)
        assert errors[draw] == pytest.approx(ratio_error(sums, counts), abs=1e-12)


def test_no_end_is_nearer_than_students_with_one_degree_of_freedom_less_than_scenes():
    totals = skewed()
    interval = mean_interval(totals)
    assert interval.method == "bootstrap"
    size = len(totals.scenes)
    reach = stats.t.ppf(0.975, size - 1) * ratio_error(totals.sums, totals.counts)
    # The tail is above: the bootstrap widens the interval there, Student's t stays below.
    assert interval.low == pytest.approx(totals.mean - reach, rel=1e-9)
    assert interval.high > totals.mean + 1.1 * reach


def test_p_values_are_never_below_students():
    totals = skewed()
    zeros = SceneTotals(totals.scenes, np.zeros_like(totals.sums), totals.counts)
    shifted = SceneTotals(
        totals.scenes, totals.sums - (totals.mean - 0.004) * totals.counts, totals.counts
    )
    difference = paired_difference(shifted, zeros)
    error = ratio_error(totals.sums, totals.counts)
    student = stats.t.cdf(0.004 / error, len(totals.scenes) - 1)
    assert difference.p_worse >= student - 1e-12
    assert difference.p_better >= 1 - student - 1e-12
    assert min(difference.p_worse - student, difference.p_better - (1 - student)) < 1e-9

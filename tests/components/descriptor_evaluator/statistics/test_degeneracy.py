"""The sample that is measured, and each limit; `protocol/test_traps` has collapsed models."""

import numpy as np
import pytest

from components.descriptor_evaluator.statistics import degeneracy

SIZES = {"i_a": 2, "v_b": 30, "v_c": 60}
HEALTHY = {
    "non_finite_share": 0.0,
    "distinct_share": 1.0,
    "distinct_share_float16": 1.0,
    "spread": 0.9,
    "matching_ap": 0.5,
    "matching_ap_float16": 0.5,
}


def numbered():
    """Descriptors that tell their sequence and row."""
    return {
        name: np.stack(
            [np.full(16 * count, place), np.arange(16 * count)], axis=1, dtype=np.float32
        ).reshape(16, count, 2)
        for place, (name, count) in enumerate(SIZES.items())
    }


def test_sequences_are_sampled_in_proportion_without_repetition(monkeypatch):
    monkeypatch.setattr(degeneracy, "_SAMPLE", 100)
    values = numbered()
    total = sum(part[..., 0].size for part in values.values())
    sample = degeneracy._sample(values, total, 0)
    counts = np.bincount(sample[:, 0].astype(int), minlength=len(SIZES))
    assert counts.tolist() == [round(100 * count / 92) for count in SIZES.values()]
    assert len(np.unique(sample, axis=0)) == len(sample)
    other = degeneracy._sample(values, total, 1)
    assert not np.array_equal(sample, other)


def test_the_report_counts_all_descriptors():
    values = numbered()
    assert degeneracy.measure(values)["descriptors"] == 16 * sum(SIZES.values())


def test_few_descriptors_are_all_taken_and_no_sequence_is_left_out(monkeypatch):
    values = numbered()
    total = sum(part[..., 0].size for part in values.values())
    assert len(degeneracy._sample(values, total, 0)) == total
    monkeypatch.setattr(degeneracy, "_SAMPLE", 3)
    assert set(degeneracy._sample(values, total, 0)[:, 0]) == {0.0, 1.0, 2.0}


def test_matching_looks_at_few_sequences_and_points(monkeypatch):
    monkeypatch.setattr(degeneracy, "_MATCHED_SEQUENCES", 2)
    monkeypatch.setattr(degeneracy, "_MATCHED_POINTS", 10)
    few = degeneracy._few(numbered())
    assert {name: part.shape for name, part in few.items()} == {
        "i_a": (16, 2, 2),
        "v_c": (16, 10, 2),
    }


def test_a_healthy_report_has_no_problem_even_at_the_limits():
    assert degeneracy.problems(HEALTHY) == []
    at_limits = {
        "distinct_share": 0.5,
        "distinct_share_float16": 0.5,
        "spread": 1e-3,
        "matching_ap_float16": 0.4,
    }
    assert degeneracy.problems(HEALTHY | at_limits) == []


@pytest.mark.parametrize(
    ("measure", "value", "words"),
    [
        ("non_finite_share", 1e-4, "0.01% of the descriptors hold NaN"),
        ("distinct_share", 0.49, "only 49.00% of the descriptors are distinct, expected"),
        ("distinct_share_float16", 0.49, "are distinct as float16"),
        ("spread", 9e-4, "spread over 0.0009 of their length"),
        ("matching_ap_float16", 0.39, "falls from 0.5000 to 0.3900"),
    ],
)
def test_every_measure_below_its_limit_is_a_problem(measure, value, words):
    (problem,) = degeneracy.problems(HEALTHY | {measure: value})
    assert words in problem


def test_spread_is_the_deviation_over_the_length():
    values = np.array([[3.0, 0.0], [5.0, 0.0]], np.float32)
    assert degeneracy._spread(values) == pytest.approx(1.0 / np.sqrt(17.0))
    assert degeneracy._spread(np.zeros((4, 2), np.float32)) == 0.0
    assert degeneracy._spread(np.zeros((0, 2), np.float32)) == 0.0


def test_zero_is_the_same_number_whatever_its_sign():
    values = np.zeros((16, 2, 4), np.float32)
    values[:, 1] = -0.0
    report = degeneracy.measure({"v_a": values})
    assert report["distinct_share"] == pytest.approx(1 / 32)

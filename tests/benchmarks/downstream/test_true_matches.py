"""True matches at a precision."""

import numpy as np

from benchmarks.downstream import true_matches
from benchmarks.downstream.true_matches import TrueMatches


def test_as_many_are_taken_as_are_true_to_nine_of_ten():
    # By ratio: 9 true, a false one (90 %), a false one, 4 true (13 of 15), 6 true (19 of 21).
    errors = np.array([0.0] * 8 + [3.0, 3.1, 50] + [1.0] * 10 + [9.0] * 5)
    ratios = np.arange(len(errors)) / 100
    order = np.random.default_rng(0).permutation(len(errors))
    sigmas = np.where(np.arange(len(errors)) < 5, 1.0, 2.5)
    found = true_matches.at_precision(ratios[order], errors[order], sigmas[order])
    assert found == TrueMatches(19, (5, 0, 0, 14, 0, 0), 0.2)


def test_nothing_is_taken_where_nothing_is_true():
    assert true_matches.at_precision(np.ones(3), np.full(3, 9.0), np.ones(3)).count == 0
    assert true_matches.at_precision(*np.zeros((3, 0))).count == 0


def test_the_table_shows_counts_beside_the_first_rows():
    table = true_matches.table(
        {
            "a": TrueMatches(10, (10, 0, 0, 0, 0, 0), 0.8),
            "b": TrueMatches(15, (5, 10, 0, 0, 0, 0), 0.7),
        }
    )
    assert list(table.columns[2].cells) == ["10 (1.00)", "15 (1.50)"]
    assert list(table.columns[3].cells) == ["10 (1.00)", "5 (0.50)"]

"""Average precision and ROC area on cases worked out by hand."""

import numpy as np
import pytest

from trainer.core.average_precision import (
    average_precision,
    average_precision_of_ranks,
    roc_area_of_ranks,
)

EXACT = {"abs": 1e-12, "rel": 0}


def scores(*values):
    return np.array(values, np.float64)


_QUARTER = pytest.approx(0.25, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "labels", "options", "expected"),
    [
        # Trapezoids, not steps. Positive, negative, positive: (0, 1) (.5, 1) (.5, .5) (1, 2/3).
        ((3, 2, 1), (1, 0, 1), {}, 0.5 + 0.5 * (1 / 2 + 2 / 3) / 2),
        ((3, 2, 1), (1, -1, 1), {}, 0.5 + 0.5 * (1 / 2 + 2 / 3) / 2),
        # A leading negative: precision 0 at recall 0, then 1/2 at recall 1: area 1/4.
        ((2, 1), (0, 1), {}, _QUARTER),
        ((2, 1), (1, 1), {"numpos": 4}, 0.5),  # which caps recall
        # Ties keep the given order unless they count against.
        ((1, 1), (1, 0), {}, 1.0),
        ((1, 1), (0, 1), {}, _QUARTER),
        ((1, 1), (1, 0), {"ties": "against"}, _QUARTER),
        ((1, 1), (0, 1), {"ties": "against"}, _QUARTER),
        # Positives that are never retrieved count: recall stops at 1/2. Negatives cost nothing.
        *(((never, 5), (1, 1), {}, 0.5) for never in (-np.inf, np.nan)),
        *(((never, 5), (0, 1), {}, 1.0) for never in (-np.inf, np.nan)),
        ((2, 1), (0, 0), {}, 0.0),
    ],
)
def test_average_precision_by_hand(values, labels, options, expected):
    precision = average_precision(scores(*values), np.array(labels), **options)
    assert precision == (expected if expected is _QUARTER else pytest.approx(expected, **EXACT))


@pytest.mark.parametrize(
    ("before", "retrieved", "negatives", "ranked", "expected"),
    [
        # Positives at ranks 1 and 3 of four: 2 + 1 of 4 (positive, negative) pairs are in order.
        ((0, 1), (True, True), 2, 2, 3 / 4),
        ((3, 3, 3), (True, True, True), 3, 3, 0.0),
        # Never retrieved: the false positive rate ends at 1/2, the true positive rate is 1 or 1/2.
        ((0,), (True,), 2, 1, 0.5),
        ((0, 0), (True, False), 2, 1, 0.25),
    ],
)
def test_roc_area_by_hand(before, retrieved, negatives, ranked, expected):
    area = roc_area_of_ranks(np.array(before), np.array(retrieved), len(before), negatives, ranked)
    assert area == pytest.approx(expected, **EXACT)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="numpos is 1, but 2"):
        average_precision(scores(2, 1), np.array([1, 1]), numpos=1)
    with pytest.raises(ValueError, match="2 scores for 1 labels"):
        average_precision(scores(1, 2), np.array([1]))


@pytest.mark.parametrize("values", [(np.nan, np.nan), (-np.inf, np.nan), ()])
def test_nothing_retrieved_raises(values):
    labels = np.ones(len(values))
    with pytest.raises(ValueError, match="nothing is retrieved"):
        average_precision(scores(*values), labels)


def test_ranks_give_the_same_as_sorting():
    rng = np.random.default_rng(5)
    for _ in range(50):
        values = rng.integers(0, 6, size=12).astype(float)
        labels = np.array([1] * 5 + [0] * 7)  # positives first, as in retrieval
        before = (values[5:, None] > values[None, :5]).sum(axis=0)
        precision = average_precision_of_ranks(before[None], np.ones((1, 5), bool), 5)[0]
        assert precision == pytest.approx(average_precision(values, labels), **EXACT)


def test_ranks_of_positives_that_are_never_retrieved_are_ignored():
    before, retrieved = np.array([[3, 0]]), np.array([[False, True]])
    assert average_precision_of_ranks(before, retrieved, 2)[0] == pytest.approx(0.5, **EXACT)
    assert average_precision_of_ranks(before, np.zeros((1, 2), bool), 2)[0] == 0.0


def test_many_rankings_are_measured_at_once():
    before, retrieved = (
        np.array([[0, 1, 1], [1, 1, 2]]),
        np.array([[True] * 3, [True, True, False]]),
    )
    together = average_precision_of_ranks(before, retrieved, 3)
    apart = [average_precision_of_ranks(before[row], retrieved[row], 3) for row in range(2)]
    assert together == pytest.approx(apart, **EXACT)

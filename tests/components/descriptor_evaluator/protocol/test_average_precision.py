"""Average precision and ROC area on cases worked out by hand."""

import numpy as np
import pytest

from components.descriptor_evaluator.protocol.average_precision import (
    average_precision,
    average_precision_of_ranks,
    roc_area,
    roc_area_of_ranks,
)

EXACT = {"abs": 1e-12, "rel": 0}


def scores(*values):
    return np.array(values, np.float64)


def test_trapezoids_not_steps():
    # positive, negative, positive: (0, 1) (.5, 1) (.5, .5) (1, 2/3).
    found = average_precision(scores(3, 2, 1), np.array([1, 0, 1]))
    assert found == pytest.approx(0.5 + 0.5 * (1 / 2 + 2 / 3) / 2, **EXACT)


def test_a_leading_negative_costs_the_whole_first_step():
    # negative, positive: precision 0 at recall 0, then 1/2 at recall 1: area 1/4.
    assert average_precision(scores(2, 1), np.array([0, 1])) == pytest.approx(0.25, abs=1e-9)


def test_numpos_caps_recall():
    assert average_precision(scores(2, 1), np.array([1, 1]), numpos=4) == pytest.approx(
        0.5, **EXACT
    )


def test_numpos_below_the_positives_is_refused():
    with pytest.raises(ValueError, match="numpos is 1, but 2"):
        average_precision(scores(2, 1), np.array([1, 1]), numpos=1)


def test_ties_keep_the_given_order():
    assert average_precision(scores(1, 1), np.array([1, 0])) == pytest.approx(1.0, **EXACT)
    assert average_precision(scores(1, 1), np.array([0, 1])) == pytest.approx(0.25, abs=1e-9)


def test_tie_safe_puts_negatives_first_whatever_the_order():
    for labels in ([1, 0], [0, 1]):
        found = average_precision(scores(1, 1), np.array(labels), ties="against")
        assert found == pytest.approx(0.25, abs=1e-9)


@pytest.mark.parametrize("never", [-np.inf, np.nan])
def test_scores_that_are_never_retrieved_still_count_as_positives(never):
    # One of two positives is retrieved: recall stops at 1/2.
    found = average_precision(scores(never, 5), np.array([1, 1]))
    assert found == pytest.approx(0.5, **EXACT)


@pytest.mark.parametrize("never", [-np.inf, np.nan])
def test_negatives_that_are_never_retrieved_do_not_cost_precision(never):
    found = average_precision(scores(never, 5), np.array([0, 1]))
    assert found == pytest.approx(1.0, **EXACT)


@pytest.mark.parametrize("values", [(np.nan, np.nan), (-np.inf, np.nan), ()])
def test_nothing_retrieved_raises(values):
    labels = np.ones(len(values))
    with pytest.raises(ValueError, match="nothing is retrieved"):
        average_precision(scores(*values), labels)
    with pytest.raises(ValueError, match="nothing is retrieved"):
        roc_area(scores(*values), labels)


def test_plus_and_minus_one_labels_are_understood():
    signs, bits = np.array([1, -1, 1]), np.array([1, 0, 1])
    assert average_precision(scores(3, 2, 1), signs) == average_precision(scores(3, 2, 1), bits)


def test_lengths_have_to_agree():
    with pytest.raises(ValueError, match="2 scores for 1 labels"):
        average_precision(scores(1, 2), np.array([1]))


def test_no_positive_gives_zero():
    assert average_precision(scores(2, 1), np.array([0, 0])) == 0.0


def test_roc_area_counts_ordered_pairs():
    # positives at ranks 1 and 3 of four: 2 + 1 of 4 (positive, negative) pairs are in order.
    found = roc_area(scores(4, 3, 2, 1), np.array([1, 0, 1, 0]))
    assert found == pytest.approx(3 / 4, **EXACT)


def test_identical_scores_with_negatives_first_have_area_zero():
    assert roc_area(np.zeros(6), np.array([0, 0, 0, 1, 1, 1])) == 0.0


def test_a_negative_that_is_never_retrieved_takes_its_share_of_the_area():
    # The false positive rate ends at 1/2, where the true positive rate is 1.
    found = roc_area(scores(3, 2, np.nan), np.array([1, 0, 0]))
    assert found == pytest.approx(0.5, **EXACT)


def test_ranks_give_the_same_as_sorting():
    rng = np.random.default_rng(5)
    for _ in range(50):
        values = rng.integers(0, 6, size=12).astype(float)
        labels = np.array([1] * 5 + [0] * 7)  # positives first, as in retrieval
        before = (values[5:, None] > values[None, :5]).sum(axis=0)
        found = average_precision_of_ranks(before[None], np.ones((1, 5), bool), 5)[0]
        assert found == pytest.approx(average_precision(values, labels), **EXACT)
        up_to = (values[5:, None] >= values[None, :5]).sum(axis=0)
        found = roc_area_of_ranks(up_to, np.ones(5, bool), 5, 7, 7)
        against = roc_area(values, labels, ties="against")
        assert found == pytest.approx(against, **EXACT)


def test_ranks_of_positives_that_are_never_retrieved_are_ignored():
    before, retrieved = np.array([[3, 0]]), np.array([[False, True]])
    assert average_precision_of_ranks(before, retrieved, 2)[0] == pytest.approx(0.5, **EXACT)
    assert average_precision_of_ranks(before, np.zeros((1, 2), bool), 2)[0] == 0.0

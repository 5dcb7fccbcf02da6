"""Curves on descriptors small enough to draw with pencil and paper."""

import numpy as np
import pytest

from components.descriptor_evaluator.report_data import curves
from components.descriptor_evaluator.report_data.curves import FALSE_RATE, RECALL
from tests.components.descriptor_evaluator.protocol.lines import (
    line,
    pairs,
    points,
    same_everywhere,
    tasks,
)
from trainer.core.average_precision import average_precision_of_ranks


def test_precision_is_a_straight_line_between_two_positives():
    before, retrieved = np.array([0, 1]), np.ones(2, bool)
    # From 1 to 1 at the first positive, from 1/2 to 2/3 at the second.
    curve = curves.precision_at_recall(before, retrieved, 2, np.array([0.25, 0.5, 0.999]))
    assert curve.tolist() == pytest.approx([1.0, 0.5, 0.5 + 0.998 * (2 / 3 - 1 / 2)])


def test_precision_is_0_beyond_the_last_retrieved_positive():
    curve = curves.precision_at_recall(
        np.array([0, 0]), np.array([True, False]), 4, np.array([0.2, 0.3, 0.6])
    )
    assert curve.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_of_a_precision_curve_is_the_average_precision(seed):
    rng = np.random.default_rng(seed)
    before, retrieved = rng.integers(0, 30, 20), rng.uniform(size=20) < 0.8
    fine = (np.arange(25 * 400) + 0.5) / (25 * 400)
    curve = curves.precision_at_recall(before, retrieved, 25, fine)
    expected = average_precision_of_ranks(before, retrieved, 25)
    assert curve.mean() == pytest.approx(expected, abs=1e-9)


def test_matching_by_hand():
    values = same_everywhere(0.0, 10.0, 20.0)
    values[1] = line(1.0, 13.0, 12.5)  # e1: 0 is matched rightly, the other two wrongly
    curve = curves.matching_curves({"v_a": values})
    assert curve["h"] == curve["t"] == [1.0] * len(RECALL)
    # One image pair of five has nothing behind a third of its points.
    assert curve["e"] == pytest.approx(np.where(RECALL < 1 / 3, 1.0, 0.8).tolist())


def test_verification_by_hand():
    values = same_everywhere(0.0, 100.0, 50.0, 51.5)
    values[1] = line(1.0, 102.0, 50.0, 51.5)  # positives at distances 1 and 2 at noise e
    positives = pairs((0, 0, 0, 0, 1, 0), (0, 0, 1, 0, 1, 1))
    negatives = pairs((0, 0, 2, 0, 0, 3), (0, 0, 0, 0, 0, 2))  # 1.5 and 50
    curve = curves.verification_curves({"v_a": values}, tasks(positives=positives, intra=negatives))
    assert set(curve) == {"intra"}  # there are no pairs across sequences
    easy = curve["intra"]["e"]
    # Until half of the negatives are let through, only the positive at 1 is.
    assert easy["true_rate"] == np.where(FALSE_RATE < 0.5, 0.5, 1.0).tolist()
    assert easy["precision"] == [1.0] * len(RECALL)  # of the first positive alone: one in five
    assert easy["edges"][0] == 0 and easy["edges"][-1] == 50
    assert [place for place, share in enumerate(easy["positive"]) if share] == [1, 2]
    assert [place for place, share in enumerate(easy["negative"]) if share] == [1, 59]
    assert sum(easy["positive"]) == sum(easy["negative"]) == 1.0


def test_descriptors_that_are_not_finite_are_never_retrieved():
    values = same_everywhere(0.0, 100.0)
    values[1, 1] = np.nan
    positives = pairs((0, 0, 0, 0, 1, 0), (0, 0, 1, 0, 1, 1))
    curve = curves.verification_curves(
        {"v_a": values}, tasks(positives=positives, intra=pairs((0, 0, 0, 0, 0, 1)))
    )
    assert curve["intra"]["e"]["true_rate"][-1] == 0.5
    assert curve["intra"]["h"]["true_rate"][-1] == 1.0


def test_retrieval_by_hand():
    query = same_everywhere(0.0)
    query[1:6, 0, 0] = [1, 2, 3, 4, 5]
    values = {"v_a": query, "v_b": same_everywhere(2.5, 0.5)}
    curve = curves.retrieval_curves(
        values, tasks(queries=points((0, 0)), distractors=points((1, 0), (1, 1)))
    )
    assert curve["pool"] == 7
    # Distractors ahead of the five positives: 1, 1, 2, 2, 2.
    ends = [1 / 2, 2 / 3, 3 / 5, 4 / 6, 5 / 7]
    assert curve["e"][19] == pytest.approx(0.975 * ends[0], abs=1e-3)
    assert curve["e"][99] == pytest.approx(4 / 6 + 0.975 * (ends[4] - 4 / 6), abs=1e-3)
    assert curve["h"] == [1.0] * len(RECALL)


def test_a_querys_own_group_is_not_in_its_pool():
    values = {"v_a": same_everywhere(0.0), "v_b": same_everywhere(3.0, 4.0)}
    given = tasks(queries=points((1, 0)), distractors=points((1, 1), (0, 0)))
    _, distance = curves.query_distances(values, given, np.array([0]))
    assert distance.tolist() == [[np.inf, 3.0]]


@pytest.mark.parametrize(("count", "expected"), [(10, [0, 3, 6, 9]), (3, [0, 1, 2])])
def test_places_are_spread_evenly(count, expected):
    assert curves.spread(count, 4).tolist() == expected

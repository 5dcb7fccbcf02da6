"""The three tasks on descriptors small enough to score with pencil and paper."""

import itertools

import numpy as np
import pytest

from components.descriptor_evaluator.protocol import matching, retrieval, verification
from components.descriptor_evaluator.protocol.tasks import Tasks
from components.descriptor_evaluator.scoring.score import score
from tests.components.descriptor_evaluator.protocol.lines import (
    line,
    pairs,
    points,
    same_everywhere,
)
from trainer.core.average_precision import average_precision

EXACT = {"abs": 1e-9, "rel": 0}


def matched(values):
    """Metrics by noise level and target."""
    return {(noise, target): each for noise, target, each in matching.match_sequence(values)}


def test_matching_by_hand():
    values = same_everywhere(0.0, 10.0, 20.0)
    values[1] = line(1.0, 13.0, 12.5)  # e1
    scored = matched(values)
    # Neighbours: 0 -> 0 (distance 1, right), 10 -> 12.5 (2.5, wrong), 20 -> 13 (7, wrong).
    assert scored["e", 1]["success_rate"] == pytest.approx(1 / 3, **EXACT)
    assert scored["e", 1]["ap"] == pytest.approx(1 / 3, **EXACT)
    assert scored["e", 2]["ap"] == 1.0
    # A wrong match ranked first: the right ones come after it.
    values[2] = line(3.0, 10.5, 10.25)
    # 0 -> 3 (3, right), 10 -> 10.25 (.25, wrong), 20 -> 10.5 (9.5, wrong)
    scored = matched(values)
    assert scored["e", 2]["ap"] == pytest.approx(1 / 3 * (0 + 1 / 2) / 2, **EXACT)


def test_l1_and_l2_choose_different_neighbours():
    # From the origin: (3, 3) is 4.24 away and 6 by L1, (0, 5) is 5 by both.
    origin = np.zeros((1, 2), np.float32)
    others = np.array([[3, 3], [0, 5]], np.float32)
    assert matching.nearest_neighbours(origin, others).index.tolist() == [0]
    scored = matching.nearest_neighbours(origin, others, "l1")
    assert (scored.index.tolist(), scored.distance.tolist()) == ([1], [5.0])
    positives = np.tile(others[1], (1, 3, 5, 1))
    near, far = others[0][None], np.array([[5, 5]], np.float32)
    pool = np.concatenate([near, far])
    assert retrieval.score_queries(origin, positives, pool, [7])["ap"][0, 0, 0] < 1.0
    assert retrieval.score_queries(origin, positives, pool, [7], "l1")["ap"][0, 0, 0] == 1.0


def test_the_first_of_equal_neighbours_is_taken():
    scored = matching.nearest_neighbours(line(0.0, 0.0), line(1.0, -1.0))
    assert scored.index.tolist() == [0, 0]
    assert scored.tied.tolist() == [True, True]
    metrics = matching.score_neighbours(scored)
    assert metrics["success_rate"] == 0.5
    # Stable order: the right match (row 0) stands first among equal distances.
    assert metrics["ap"] == pytest.approx(0.5, **EXACT)
    assert metrics["ap_tie_safe"] == 0.0
    assert metrics["success_rate_tie_safe"] == 0.0


def test_a_nan_in_the_target_is_everybodys_neighbour():
    values = same_everywhere(0.0, 1.0, 2.0)
    values[3, 1] = np.nan  # e3
    scored = matched(values)
    assert scored["e", 3]["success_rate"] == pytest.approx(1 / 3)
    assert scored["e", 3]["success_rate_tie_safe"] == 0.0  # it is nobody's near one
    assert np.isnan(scored["e", 3]["ap"])
    assert scored["e", 2]["ap"] == 1.0


def test_a_nan_in_the_reference_is_never_retrieved():
    values = same_everywhere(0.0, 1.0, 2.0)
    values[0, 1] = np.nan
    scored = matched(values)
    assert scored["t", 5]["ap"] == pytest.approx(2 / 3, **EXACT)
    assert scored["t", 5]["success_rate"] == pytest.approx(2 / 3)


def test_retrieval_by_hand():
    # Positives at distances 1..5; distractors at 2.5 and 0.5 (in file order), then far away.
    positives = np.tile(np.arange(1.0, 6.0, dtype=np.float32)[:, None], (1, 3, 1, 1))
    distractors = line(2.5, -0.5, 100.0)
    scored = retrieval.score_queries(line(0.0), positives, distractors, [5, 6, 7, 8])
    # k = 5: positives alone. k = 6: the distractor 2.5 stands third.
    steps = [1, 1, (2 / 3 + 3 / 4) / 2, (3 / 4 + 4 / 5) / 2, (4 / 5 + 5 / 6) / 2]
    # k = 7: 0.5 stands first as well.
    longer = [1 / 4, (1 / 2 + 2 / 3) / 2, (2 / 4 + 3 / 5) / 2, (3 / 5 + 4 / 6) / 2]
    longer.append((4 / 6 + 5 / 7) / 2)
    expected = [1.0, np.mean(steps), np.mean(longer), np.mean(longer)]
    for level in range(3):
        np.testing.assert_allclose(scored["ap"][0, level], expected, atol=1e-9, rtol=0)


def test_the_pool_is_cut_before_it_is_sorted():
    positives = np.full((1, 3, 5, 1), 3.0, np.float32)
    distractors = line(9.0, 1.0)  # the near one stands behind the cut of k = 6
    scored = retrieval.score_queries(line(0.0), positives, distractors, [6, 7])
    assert scored["ap"][0, 0, 0] == 1.0
    assert scored["ap"][0, 0, 1] < 1.0


def test_positives_stand_before_equal_distractors_unless_ties_count_against():
    positives = np.full((1, 3, 5, 1), 3.0, np.float32)
    scored = retrieval.score_queries(line(0.0), positives, line(-3.0, 3.0), [7])
    assert scored["ap"][0, 0, 0] == 1.0
    precision = [0, 1 / 3, 2 / 4, 3 / 5, 4 / 6, 5 / 7]
    behind = [(low + high) / 2 for low, high in itertools.pairwise(precision)]
    assert scored["ap_tie_safe"][0, 0, 0] == pytest.approx(np.mean(behind), **EXACT)


def test_distractors_that_are_nan_are_never_retrieved():
    positives = np.full((1, 3, 5, 1), 3.0, np.float32)
    scored = retrieval.score_queries(line(0.0), positives, line(np.nan, 1.0, np.inf), [6, 8])
    assert scored["ap"][0, 0, 0] == 1.0
    assert scored["ap"][0, 0, 1] < 1.0


def test_a_query_that_equals_all_distractors_is_ranked_without_rounding():
    # Positives at 0, 0, 2 and 3, one never retrieved; three distractors at 0.
    positives = np.zeros((1, 3, 5, 1), np.float32)
    positives[:, :, :, 0] = [0.0, 0.0, 2.0, 3.0, np.nan]
    scored = retrieval.score_queries(line(0.0), positives, line(0.0, 0.0, 0.0), [6, 8])
    ranked = -np.array([0.0, 0.0, 2.0, 3.0, np.nan, 0.0, 0.0, 0.0])
    labels = np.arange(8) < 5
    for place, size in enumerate([6, 8]):
        given = ranked[:size], labels[:size]
        assert scored["ap"][0, 0, place] == pytest.approx(average_precision(*given), **EXACT)
        against = average_precision(*given, ties="against")
        assert scored["ap_tie_safe"][0, 0, place] == pytest.approx(against, **EXACT)
    assert scored["ap"][0, 0, 1] > scored["ap_tie_safe"][0, 0, 1] + 0.2


@pytest.mark.parametrize("sizes", [[], [4], [10, 6], [6, 6]])
def test_impossible_pool_sizes_are_refused(sizes):
    positives = np.zeros((1, 3, 5, 1), np.float32)
    with pytest.raises(ValueError, match="pool sizes"):
        retrieval.score_queries(line(0.0), positives, line(1.0), sizes)


def test_own_group_is_left_out_of_the_pool():
    tasks = Tasks(
        "by hand", ("i_a", "v_a", "v_b"), ("a", "a", "b"), ("i", "v", "v"), (1, 1, 1),
        groups=("a", "a", "b"), pool_sizes=(7,),
        queries=points((0, 0)), distractors=points((1, 0), (2, 0)),
    )  # fmt: skip
    values = {"i_a": same_everywhere(0.0), "v_a": same_everywhere(0.0), "v_b": same_everywhere(5.0)}
    values["i_a"][1:] = 1.0
    rows = score(values, tasks, ["retrieval"])
    assert set(rows[0].metrics) == {"ap", "ap@7", "ap_tie_safe", "ap@7_tie_safe"}
    assert [row.metrics["ap"] for row in rows] == [1.0, 1.0, 1.0]
    assert {(row.sequence, row.scene, row.kind, row.unit) for row in rows} == {
        ("i_a", "a", "i", "0")
    }


def test_verification_by_hand():
    # Five positives at 1, 2, 3, 4, 9; negatives at 2, 5, 6, 7, 8.
    negative = np.array([2, 5, 6, 7, 8], np.float32)
    positive = np.array([2, 1, 3, 4, 9], np.float32)
    scored = verification.score_distances(negative, positive)
    # Pairs in order: positive 1 beats 5; 2 beats 4 (equal counts against); 3, 4 beat 4; 9 none.
    assert scored["auc"] == pytest.approx((5 + 4 + 4 + 4) / 25, **EXACT)
    # Imbalanced: the first int(0.2 * 5) = 1 positive, at 2, behind the equal negative.
    assert scored["ap"] == pytest.approx((0 + 1 / 2) / 2, **EXACT)
    assert scored["ap_tie_safe"] == scored["ap"]


def test_image_zero_is_the_reference_at_every_noise_level():
    values = same_everywhere(0.0, 1.0)
    for place in range(1, 16):
        values[place, 0] = 100.0 * place
    given = ({"v_a": values}, ("v_a",), pairs((0, 0, 0, 0, 2, 0)))
    distances = [verification.pair_distances(*given, noise).item() for noise in "eht"]
    assert distances == [200.0, 700.0, 1200.0]  # e2, h2, t2 are variants 2, 7 and 12

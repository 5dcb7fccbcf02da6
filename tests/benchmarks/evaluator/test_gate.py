"""The gate's error rates on pairs drawn from the kept scores per scene."""

import json

import numpy as np
import pytest

from benchmarks.evaluator import gate
from benchmarks.evaluator.gate import Case, Measured, read, simulate
from trainer.core.errors import UserError

pytestmark = pytest.mark.slow

TRIALS = 200


@pytest.fixture(scope="module")
def measured():
    return read()


def outcome(measured, *case):
    return simulate(measured, Case(*case), TRIALS, resamples=400)


def test_all_pairs_of_seeds_are_there_on_eleven_scenes(measured):
    assert measured.sums.shape == (20, 2, 11)
    # A pair and its reverse cancel.
    assert np.allclose(measured.sums.sum(0), 0.0)
    assert (measured.counts > 0).all()


@pytest.mark.parametrize("mode", ["point", "lower_bound"])
def test_equally_good_models_are_refused_about_as_often_as_the_gate_states(measured, mode):
    rates = outcome(measured, mode, 40)
    assert rates.refused * TRIALS <= 18  # nominal 10, standard error 3.1
    assert abs(rates.refused - rates.stated) < 3 * 0.016
    assert 0.03 < rates.stated < 0.07


def test_the_stated_share_is_right_where_scatter_makes_it_large(measured):
    rates = outcome(measured, "lower_bound", 40, 0.0, 4.0)
    assert rates.stated > 0.5
    assert abs(rates.refused - rates.stated) < 0.12


def test_a_loss_of_delta_passes_the_lower_bound_at_most_in_five_per_cent(measured):
    for scenes in (10, 40):
        assert outcome(measured, "lower_bound", scenes, -0.01).refused >= 0.95
    assert outcome(measured, "lower_bound", 40, -0.01, 4.0).refused >= 0.95


@pytest.mark.parametrize("mode", ["point", "lower_bound"])
def test_a_loss_of_twice_delta_is_refused_with_forty_scenes(measured, mode):
    assert outcome(measured, mode, 40, -0.02).refused >= 0.8
    assert outcome(measured, mode, 40, -0.02, 4.0).refused >= 0.8


def test_two_seeds_of_one_plan_differ_more_than_two_equal_models(measured):
    equal, seeds = outcome(measured, "point", 40), outcome(measured, "point", 40, None)
    assert seeds.refused > equal.refused + 0.1
    assert seeds.stated == pytest.approx(equal.stated, abs=0.02)  # it knows nothing of seeds


def test_the_same_case_gives_the_same_outcome(measured):
    case = Case("point", 10)
    assert simulate(measured, case, 5, 200) == simulate(measured, case, 5, 200)


def test_a_shift_is_the_true_difference():
    counts = np.array([[1.0, 3.0], [2.0, 2.0]])
    sums = np.array([[[0.1, 0.3], [0.4, 0.0]]])
    rng = np.random.default_rng(0)
    (totals, _) = gate._draw(Measured(sums, counts), Case("point", 1000, -0.02), rng)
    assert totals.mean == pytest.approx(-0.02)  # each scene has the pair's own mean, 0.1
    assert totals.counts.min() == 1.0 and totals.counts.max() == 3.0


def test_missing_scores_are_told(tmp_path):
    path = tmp_path / "gate.json"
    path.write_text(json.dumps({"seed 1": {}}))
    with pytest.raises(UserError, match="lacks seeds"):
        read(path)

"""What the results of the collapse matrix are said to show."""

import pytest

from benchmarks.harness.ledger import Ledger
from benchmarks.training.collapse_matrix import (
    PIXELS,
    Cell,
    collapsed,
    markdown,
    matrix,
    missing,
    onset,
    sentences,
)

_CELL = Cell("hinge", "euclidean", "batch_norm_l2", 1e-2, 1)


def _arm(score: float, distance: float = 1.0, **more) -> dict:
    return {"map": score, "distance": distance, "rank": 0.9, "attempts": [], "ended": "", **more}


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "runs.json")
    ledger.put(PIXELS, 0.25)
    return ledger


def test_collapsed_is_below_pixels_or_without_distance():
    assert not collapsed(_arm(0.3), 0.25)
    assert collapsed(_arm(0.2), 0.25)
    assert collapsed(_arm(0.3, 0.05), 0.25)
    assert collapsed(_arm(0.3, float("nan")), 0.25)


def test_an_onset_is_the_first_step_after_which_the_distance_stays_below_half():
    assert onset([(10, 0.4), (20, 0.6), (30, 0.45), (40, 0.2)]) == 30
    assert onset([(10, 0.4)]) == 10
    assert onset([(10, 0.4), (20, 0.5)]) is None


def test_the_matrix_has_every_setting_once_per_seed():
    cells = matrix((1, 2))
    assert len({cell.key for cell in cells}) == len(cells) == 2 * 2 * 2 * 4 * 2


def test_the_warm_up_arm_differs_in_nothing_else():
    plain, gentle = _CELL.config(), _CELL.config(gentle=True)
    assert (plain.clip_norm, gentle.clip_norm) == (None, 1.0)
    stage = gentle.stages[0].model_copy(update={"warm_up_steps": 0})
    assert plain == gentle.model_copy(update={"stages": (stage,), "clip_norm": None})


def test_a_collapse_that_was_caught(ledger):
    attempts = [{"onset": 20, "steps": 40}, {"onset": None, "steps": 90}]
    controller = _arm(0.31, attempts=attempts)
    ledger.put(_CELL.key, {"plain": _arm(0.1, 0.01), "controller": controller})
    (row,) = markdown(ledger).splitlines()[2:]
    assert "| 1/1 | 10.0 |" in row
    assert row.endswith("| 0/1 | 31.0 | 20, 40 | 2 |")
    told = " ".join(sentences(ledger))
    assert "collapsed in 1 of 1 runs, the controller in 0" in told
    assert "20 steps after the first observation" in told
    assert "0 alarms at the hard batch by rank" in told
    assert "1 later ones by rank in stages made easier by a rollback" in told
    assert "in the 0 runs whose plain twin ended healthy, 0 rollbacks by distance" in told


def test_false_alarms_and_the_cost_are_those_of_healthy_runs(ledger):
    alarm = [{"onset": None, "steps": 30}]
    for seed, score in enumerate((0.30, 0.28, 0.29), start=1):
        cell = Cell("hinge", "euclidean", "batch_norm_l2", 1e-2, seed)
        controller = _arm(score, attempts=alarm if seed == 2 else [])
        ledger.put(cell.key, {"plain": _arm(0.30), "controller": controller})
    told = " ".join(sentences(ledger))
    assert "in the 3 runs whose plain twin ended healthy, 0 rollbacks by distance and 1" in told
    assert "ended with 0.90 to 0.90 of the start's effective rank" in told
    assert "in those with a rollback: -2.0 mAP" in told
    # 0, -2 and -1: mean -1, standard error 1 / sqrt(3), t(0.95, 2) = 2.92.
    assert "controller - plain is -1.00 mAP over 3 pairs, 95 % bound -2.69" in told
    assert "worst pair -2.00" in told


def test_more_seeds_are_wanted_where_plain_training_is_healthy(ledger):
    for cell in matrix((1, 2, 3)):
        fine = cell.normalisation == "batch_norm_l2"
        arm = _arm(0.3 if fine else 0.1)
        ledger.put(cell.key, {"plain": arm, "controller": arm})
    assert {arm for arm, _ in missing(ledger)} == {"gentle"}
    for cell in matrix((1,)):
        ledger.put(f"{cell.key} warm-up + clipping", _arm(0.3))
    wanted = missing(ledger)
    assert len(wanted) == 2 * 2 * 2 * 2  # seeds, rates, losses, distances
    assert {cell.normalisation for _, cell in wanted} == {"batch_norm_l2"}
    assert {cell.seed for _, cell in wanted} == {4, 5}

"""Signs of collapse."""

import numpy as np
import pytest

from trainer.curriculum.probe import effective_rank, signals


def _rows(rank: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(200, rank)) @ np.eye(rank, 16)).astype(np.float32)


def test_effective_rank_counts_directions():
    corners = np.concatenate([np.eye(4), -np.eye(4)])
    assert effective_rank(corners) == pytest.approx(4)

    for rank in (1, 3, 16):
        assert effective_rank(_rows(rank)) == pytest.approx(rank, rel=0.1)
    for value in (1.0, 0.0, np.nan):  # of equal or broken rows it is 1
        assert effective_rank(np.full((5, 8), value)) == 1


def test_distances_by_hand():
    values = np.array([[0.0], [1.0], [3.0], [10.0]], np.float32)  # points {0, 1} and {3, 10}
    seen = signals(values, values, 2, normalized_loss=0.5)
    assert seen.pair_distance == pytest.approx((3 + 10 + 2 + 9) / 4)
    assert seen.hardest_positive == pytest.approx((1 + 1 + 7 + 7) / 4)
    assert seen.hardest_negative == pytest.approx((3 + 2 + 2 + 9) / 4)
    assert seen.spread == pytest.approx(np.std([0, 1, 3, 10]))
    assert seen.normalized_loss == 0.5


def test_a_code_of_rank_one_is_seen_where_the_spread_is_blind():
    rng = np.random.default_rng(0)
    full = rng.normal(size=(128, 32)).astype(np.float32)
    line = np.repeat(rng.choice([-1.0, 1.0], (128, 1)), 32, axis=1).astype(np.float32)
    healthy, collapsed = (signals(code, code, 4, 1.0) for code in (full, line))
    assert collapsed.spread == pytest.approx(healthy.spread, rel=0.05)
    assert collapsed.effective_rank < 0.1 * healthy.effective_rank


def test_shrinking_descriptors_show_in_the_distance():
    code = _rows(8)
    before, after = signals(code, code, 4, 1.0), signals(code / 20, code / 20, 4, 1.0)
    assert after.pair_distance == pytest.approx(before.pair_distance / 20)
    assert after.effective_rank == pytest.approx(before.effective_rank)

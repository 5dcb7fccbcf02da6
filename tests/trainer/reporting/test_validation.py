"""The score that chooses the checkpoint."""

import numpy as np
import pytest

from tests.support.synthetic import packed
from trainer.core.config import ValidationConfig
from trainer.reporting.validation import ValidationSet, matching_average_precision


def test_average_precision_by_hand():
    # Nearest neighbours 0 (right), 0 (wrong), 2 (right), at distances 0.1, 0.4, 0.2.
    reference = np.array([[0.1], [0.4], [5.2]])
    target = np.array([[0.0], [9.0], [5.0]])
    # Ranked: right, right, wrong: precision 1, 1, 2/3 at recall 1/3, 2/3, 2/3.
    assert matching_average_precision(reference, target) == pytest.approx(2 / 3)
    # The wrong one first: precision (1), 0, 1/2, 2/3 at recall (0), 0, 1/3, 2/3.
    reference = np.array([[0.1], [0.01], [5.2]])
    expected = (0 + 1 / 2) / 2 / 3 + (1 / 2 + 2 / 3) / 2 / 3
    assert matching_average_precision(reference, target) == pytest.approx(expected)


def test_perfect_equal_and_broken_descriptors():
    values = np.eye(8, dtype=np.float32)
    assert matching_average_precision(values, values + 0.01) == 1
    equal = np.ones((8, 4))
    assert matching_average_precision(equal, equal) == pytest.approx(1 / 8)
    assert matching_average_precision(values, np.full((8, 8), np.nan)) == 0


def test_points_are_spread_evenly_and_limited():
    config = ValidationConfig(points_per_sequence=5, max_points=12)
    chosen = ValidationSet.of(packed([20, 9, 1], [0, 1, 2]), config)
    assert [len(part) for part in chosen.patches] == [5, 5]  # one point alone cannot match
    assert chosen.patches[0][:, 0, 0, 0].tolist() == [n * 16 % 251 for n in (0, 5, 10, 14, 19)]
    assert chosen.names == ("u_0", "u_1")
    assert [index.tolist() for index in chosen.indices] == [[0, 5, 10, 14, 19], [0, 2, 4, 6, 8]]


def test_of_many_image_sequences_some_are_taken():
    config = ValidationConfig(max_points=30)
    chosen = ValidationSet.of(packed([20] * 9, list(range(9))), config)
    assert not ValidationSet(())
    assert chosen.names == ("u_0", "u_4", "u_8")
    assert [len(part) for part in chosen.patches] == [10, 10, 10]


def test_scores_tell_the_noises_apart():
    rng = np.random.default_rng(0)
    parts = []
    for count in (30, 20):
        # One pixel column per dimension holds the point's code; tough variants are random.
        codes = rng.integers(0, 256, (count, 1, 1, 32))
        patches = np.repeat(np.tile(codes, (1, 16, 1, 1)), 32, axis=2).astype(np.uint8)
        patches[:, 11:] = rng.integers(0, 256, patches[:, 11:].shape)
        parts.append(patches)
    sizes = set()

    def describe(patches):
        sizes.add(len(patches))
        return patches[:, 0].astype(np.float32)

    chosen = ValidationSet(tuple(parts))
    scores = chosen.score(chosen.described(describe))
    assert scores["e"] == scores["h"] == 1
    assert scores["t"] < 0.3
    assert scores["mean"] == pytest.approx((2 + scores["t"]) / 3)
    assert sizes == {1024}  # one shape, one trace

"""Probe signals on both sides of every threshold."""

import dataclasses
import math

import pytest

from trainer.curriculum.collapse import healthy_distance, is_good, sign
from trainer.curriculum.probe import ProbeSignals


@pytest.mark.parametrize(
    ("distance", "rank", "loss", "easier", "expected"),
    [
        (1.0, 1.0, 1.0, False, ""),
        (0.09, 1.0, 0.0, False, "collapse"),  # so near that no loss excuses it
        (0.1, 1.0, 0.0, False, ""),
        (math.nan, 1.0, 1.0, False, "collapse"),
        (1.0, math.inf, 0.0, False, "collapse"),
        (1.0, 0.09, 0.99, False, "collapse"),
        (1.0, 0.09, 0.98, False, ""),  # below the collapse point a network still learns
        (1.0, 0.1, 0.99, False, ""),
        (0.49, 1.0, 0.99, False, "onset"),
        (0.49, 1.0, 0.98, False, ""),
        (0.5, 1.0, 0.99, False, ""),
        (0.49, 1.0, 0.99, True, ""),
        (0.14, 1.0, 0.99, True, "onset"),
        (0.15, 1.0, 0.99, True, ""),
    ],
)
def test_signs_of_a_collapse(distance, rank, loss, easier, expected):
    assert sign(distance, rank, loss, easier) == expected


@pytest.mark.parametrize(
    ("distance", "rank", "loss", "good"),
    [
        (0.7, 0.2, 1.5, True),
        (0.69, 0.2, 0.9, False),
        (0.69, 0.2, 0.89, True),
        (1.0, 0.19, 0.1, False),
        (1.0, math.nan, 0.1, False),
        (math.inf, 1.0, 0.1, False),
    ],
)
def test_good_states(distance, rank, loss, good):
    assert is_good(distance, rank, loss) is good


def test_a_distance_out_of_the_losss_reach_is_not_asked_for():
    start = ProbeSignals(5.6, 1.2, 0.9, 40.0, 4.0, 0.8)
    assert healthy_distance(start, 1.0) == 5.6
    assert healthy_distance(start, 0.5) == 3.0
    assert healthy_distance(dataclasses.replace(start, pair_distance=0.0), 1.0) > 0

"""Probe signals on both sides of every threshold."""

import dataclasses
import math

import pytest

from trainer.curriculum.collapse import diverges, healthy_distance, is_good, sign
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
    ("distance", "growth", "rank", "loss", "good"),
    [
        (0.7, 0.7, 0.2, 1.5, True),
        (0.69, 0.69, 0.2, 0.9, False),
        (0.69, 0.69, 0.2, 0.89, True),
        (1.0, 1.0, 0.19, 0.1, False),
        (1.0, 1.0, math.nan, 0.1, False),
        (math.inf, math.inf, 1.0, 0.1, False),
        (9.0, 3.0, 1.0, 0.9, True),  # a final batch norm starts far out of the loss's reach
        (9.0, 3.01, 1.0, 0.9, False),
        (9.0, 30.0, 1.0, 0.89, True),  # data that are learned at once
    ],
)
def test_good_states(distance, growth, rank, loss, good):
    assert is_good(distance, growth, rank, loss) is good


@pytest.mark.parametrize(
    ("growth", "loss", "start_loss", "expected"),
    [
        (3.01, 5.01, 2.5, True),
        (3.0, 5.01, 2.5, False),
        (3.01, 5.0, 2.5, False),
        (3.01, 2.01, 0.4, True),  # never below the collapse point's double
        (3.01, 2.0, 0.4, False),
        # Seen at S 64, K 8 after ten steps: the statistics of a final batch norm lag behind.
        (12.6, 5.95, 5.43, False),
        (13.2, 7.85, 2.55, True),  # hinge, no final normalisation, rate 0.05
        (9.5, 304.0, 7.6, True),  # squared hinge, the same
    ],
)
def test_descriptors_that_fly_apart_with_the_loss_diverge(growth, loss, start_loss, expected):
    assert diverges(growth, loss, start_loss) is expected


def test_a_distance_out_of_the_losss_reach_is_not_asked_for():
    start = ProbeSignals(5.6, 1.2, 0.9, 40.0, 4.0, 0.8)
    assert healthy_distance(start, 1.0) == 5.6
    assert healthy_distance(start, 0.5) == 3.0
    assert healthy_distance(dataclasses.replace(start, pair_distance=0.0), 1.0) > 0

"""What `hpatches evaluate` offers."""

from typing import get_args

from components.descriptor_evaluator.protocol.distances import Distance
from pipeline.commands.options import DISTANCES


def test_every_distance_can_be_chosen():
    assert get_args(Distance) == DISTANCES

"""What `hpatches evaluate` offers."""

from typing import get_args

from components.descriptor_evaluator import settings
from components.descriptor_evaluator.descriptors import handcrafted
from components.descriptor_evaluator.protocol.distances import Distance
from pipeline.commands.descriptors.evaluate import BASELINES
from pipeline.commands.options import DISTANCES


def test_every_handcrafted_descriptor_can_be_scored():
    assert BASELINES == settings.HANDCRAFTED == handcrafted.NAMES


def test_every_distance_can_be_chosen():
    assert get_args(Distance) == DISTANCES

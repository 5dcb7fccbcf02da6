"""What `hpatches evaluate` offers."""

from components.descriptor_evaluator import baselines, settings
from pipeline.commands.evaluate import BASELINES


def test_every_handmade_descriptor_can_be_scored():
    assert BASELINES == settings.HANDMADE == baselines.NAMES

"""Steps that the processor time allows: a second each, measured over 20."""

from trainer.core.config import StageConfig
from trainer.curriculum.budget import Shortage, shortage

_STAGE = StageConfig(max_steps=120)
_MARK = (10.0, 0)


def test_a_stage_that_there_is_time_for_is_left_alone():
    # 100 steps to go, a second each; 8 seconds are kept for the export.
    assert shortage([_STAGE], 20, _MARK, 30.0, 30.0 + 8 + 100) is None


def test_a_stage_is_cut_to_what_there_is_time_for_less_a_margin():
    found = shortage([_STAGE], 20, _MARK, 30.0, 30.0 + 8 + 40)
    assert found == Shortage(20 + 38, 100.0, 40.0)


def test_later_stages_keep_their_share():
    later = StageConfig(max_steps=100)
    found = shortage([_STAGE, later], 20, _MARK, 30.0, 30.0 + 8 + 100)
    assert found == Shortage(20 + 47, 100.0, 50.0)


def test_a_stage_ends_when_there_is_no_time_left():
    found = shortage([_STAGE], 20, _MARK, 30.0, 20.0)
    assert found == Shortage(20, 100.0, 0.0)


def test_too_few_steps_are_no_measurement():
    assert shortage([_STAGE], 19, _MARK, 30.0, 31.0) is None

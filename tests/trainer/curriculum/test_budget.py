"""Steps that the processor time allows: a second each, measured over 20."""

import pytest

from trainer.core.config import StageConfig
from trainer.curriculum.budget import Shortage, shortage

_STAGE = StageConfig(max_steps=120)
_MARK = (10.0, 0)


@pytest.mark.parametrize(
    ("stages", "steps", "until", "expected"),
    [
        # 100 steps to go, a second each; 8 seconds are kept for the export.
        ([_STAGE], 20, 30.0 + 8 + 100, None),
        ([_STAGE], 20, 30.0 + 8 + 40, Shortage(20 + 38, 100.0, 40.0)),  # less a margin
        # Later stages keep their share.
        ([_STAGE, StageConfig(max_steps=100)], 20, 30.0 + 8 + 100, Shortage(20 + 47, 100.0, 50.0)),
        ([_STAGE], 20, 20.0, Shortage(20, 100.0, 0.0)),  # no time is left
        ([_STAGE], 19, 31.0, None),  # too few steps are no measurement
    ],
)
def test_a_stage_is_cut_to_what_there_is_time_for(stages, steps, until, expected):
    assert shortage(stages, steps, _MARK, 30.0, until) == expected

"""What a run tells of its stages, on an invented clock."""

import pytest

from trainer.core.config import StageConfig
from trainer.core.progress import Progress, listen
from trainer.curriculum import stages
from trainer.curriculum.probe import ProbeSignals
from trainer.reporting.stage_progress import Pace, StageProgress, patches_left

_PROBE = ProbeSignals(1.0, 0.5, 0.5, 10.0, 1.0, 0.9)
_PLAN = (
    StageConfig(points_per_batch=10, patches_per_point=2, max_steps=30),
    StageConfig(points_per_batch=20, patches_per_point=5, max_steps=8),
)


def _state(stage: int, stage_step: int) -> stages.ControllerState:
    return stages.ControllerState(_PLAN, _PROBE, 1.0, stage=stage, stage_step=stage_step)


def _seen(steps: int, loss: float = 0.5) -> stages.Observation:
    return stages.Observation(steps, loss, 0.5, _PROBE)


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_patches_left_of_the_stage_and_of_the_plan():
    assert patches_left(_state(0, 10)) == (20 * 20, 20 * 20 + 8 * 100)
    assert patches_left(_state(0, 10), steps=5) == (15 * 20, 15 * 20 + 8 * 100)
    assert patches_left(_state(1, 6)) == (200, 200)
    assert patches_left(_state(1, 9)) == (0, 0)  # a stage may be kept past its last step


def test_a_pace_is_measured_in_patches():
    assert Pace().seconds_for(10) is None
    assert Pace().after(200, 4.0).seconds_for(50) == pytest.approx(1.0)


def test_a_pace_follows_a_change_of_speed_smoothly():
    pace = Pace()
    for _ in range(100):
        pace = pace.after(100, 1.0)
    pace = pace.after(100, 3.0)  # a validation, say
    assert 1.0 < pace.seconds_for(100) < 1.15
    for _ in range(100):
        pace = pace.after(100, 3.0)
    assert pace.seconds_for(100) == pytest.approx(3.0, rel=0.02)


def test_estimates_come_from_the_second_steps_of_a_stage_on():
    clock, heard = _Clock(), list[Progress]()
    live = StageProgress(clock)
    with listen(heard.append):
        live.enter()
        clock.now += 50  # tracing
        live.tell(_state(0, 0), _seen(5, 0.9))
        clock.now += 2  # 100 patches
        live.tell(_state(0, 5), _seen(5, 0.8))
    first, second = heard
    assert first.label == "training stage 1 of 2 (S 10, K 2)"
    assert (first.count, first.remaining) == ("5/30", "")
    assert first.detail == "loss 0.900"
    assert second.seconds_left == pytest.approx(20 * 20 / 50)
    assert second.seconds_left_in_all == pytest.approx((20 * 20 + 8 * 100) / 50)
    assert second.detail == "loss 0.800, 50 patches/s"


def test_a_stage_ends_in_one_summary():
    clock, heard = _Clock(), list[Progress]()
    live = StageProgress(clock)
    with listen(heard.append):
        live.enter()
        live.tell(_state(1, 0), _seen(8, 0.25))
        live.validated(0.6125)
        clock.now += 75
        live.leave((stages.Decision("good", 8, 1, ""), stages.Decision("finish", 8, 1, "")))
    (last,) = heard  # the last steps are told by it
    assert last.finished
    assert (last.label, last.count) == ("training stage 2 of 2 (S 20, K 5)", "8/8")
    assert last.detail == "loss 0.250, val mAP 0.613, took 1:15"


@pytest.mark.parametrize(
    ("kind", "words"),
    [("finish", ""), ("rollback", ", rolled back"), ("give_up", ", gave up")],
)
def test_a_stage_that_failed_says_so_and_a_score_does_not_outlive_its_stage(kind, words):
    heard = list[Progress]()
    live = StageProgress(_Clock())
    with listen(heard.append):
        live.validated(0.5)
        live.enter()
        live.tell(_state(0, 0), _seen(5))
        live.leave((stages.Decision(kind, 5, 0, ""),))
    assert "mAP" not in heard[0].detail
    assert heard[-1].count == "5/5"
    assert heard[-1].detail == f"loss 0.500, took 0:00{words}"

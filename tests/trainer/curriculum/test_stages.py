"""The controller as a state machine, on invented and on recorded traces."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from trainer.core.config import ControllerConfig, StageConfig
from trainer.curriculum.collapse import healthy_distance
from trainer.curriculum.probe import ProbeSignals
from trainer.curriculum.stages import (
    ControllerState,
    Observation,
    observe,
    steps_until_decision,
    wants_next_probe,
)

_HEALTHY = ProbeSignals(1.4, 1.2, 0.9, 40.0, 4.0, 0.8)
_SETTINGS = ControllerConfig(smoothing=0.5, patience=2, plateau_steps=100, max_rollbacks=2)
_HARD = StageConfig(
    points_per_batch=64, patches_per_point=8, learning_rate=0.01, min_steps=20, max_steps=100
)
_EASY = _HARD.model_copy(
    update={
        "points_per_batch": 16, "patches_per_point": 2, "max_steps": 200, "promote_below": 0.8,
    }
)  # fmt: skip
_HUGE = _HARD.model_copy(update={"points_per_batch": 1024, "patches_per_point": 16})


def _state(*plan: StageConfig, **changes) -> ControllerState:
    return ControllerState(plan or (_EASY, _HARD), _HEALTHY, healthy_distance=1.4, **changes)


def _seen(
    normalized_loss: float, *, steps: int = 10, distance: float = 1.0, **changes
) -> Observation:
    """An observation; `distance` is relative to the start."""
    probe = dataclasses.replace(
        _HEALTHY, pair_distance=1.4 * distance, normalized_loss=normalized_loss
    )
    probe = dataclasses.replace(probe, **changes.pop("probe", {}))
    return Observation(
        steps=steps, loss=normalized_loss, normalized_loss=normalized_loss, probe=probe, **changes
    )


def _kinds(decisions) -> list[str]:
    return [decision.kind for decision in decisions]


def _run(state, observations, settings=_SETTINGS):
    """Feeds observations; returns the state and all decisions but `good`."""
    made = []
    for seen in observations:
        state, decisions = observe(state, seen, settings)
        made += [decision for decision in decisions if decision.kind != "good"]
    return state, made


def test_healthy_steps_are_counted_and_called_good():
    state, decisions = observe(_state(), _seen(0.95), _SETTINGS)
    assert (state.step, state.stage_step, state.patches) == (10, 10, 320)
    assert _kinds(decisions) == ["good"]


def test_promotion_when_the_smoothed_loss_is_low():
    # Running means 0.9, 0.75: below 0.8 at the second, but not before min_steps.
    state, decisions = _run(_state(), [_seen(0.9), _seen(0.6)])
    assert state.stage == 1
    assert (state.stage_step, state.smoothed, state.step) == (0, None, 20)
    assert _kinds(decisions) == ["promote"]
    assert decisions[0].values["smoothed_normalized_loss"] == pytest.approx(0.75)
    assert decisions[0].stage == 0


def test_a_smoothed_loss_at_the_threshold_is_not_below_it():
    state = _state()
    at = state.current.promote_below
    state, decisions = _run(state, [_seen(at), _seen(at)])
    assert (state.stage, state.smoothed, _kinds(decisions)) == (0, at, [])


@pytest.mark.parametrize("losses", [[0.1], [0.95, 0.95, 0.7]], ids=["too early", "lucky once"])
def test_a_low_loss_alone_promotes_nobody(losses):
    state, decisions = _run(_state(), [_seen(loss) for loss in losses])
    assert state.stage == 0
    assert decisions == []


def test_promotion_when_the_next_batch_is_already_below_the_collapse_point():
    state, decisions = _run(_state(), [_seen(0.95), _seen(0.95, next_normalized_loss=0.9)])
    assert state.stage == 1
    assert "next stage" in decisions[0].reason


def test_promotion_on_a_plateau():
    state, decisions = _run(_state(), [_seen(0.95)] * 11)
    assert state.stage == 1
    assert "plateau" in decisions[0].reason
    assert decisions[0].step == 110  # the first observation was the last improvement


def test_a_falling_loss_is_no_plateau_and_ends_at_max_steps():
    observations = [_seen(2 * 0.95**number) for number in range(20)]
    plan = (_EASY.model_copy(update={"promote_below": None}), _HARD)
    state, decisions = _run(_state(*plan), observations)
    assert state.stage == 1
    assert decisions[0].reason == "maximum steps reached"
    assert decisions[0].step == 200


def test_too_big_a_step_gets_an_intermediate_stage_also_where_it_was_measured_but_once():
    observations = [_seen(0.95)] + [_seen(0.95, next_normalized_loss=1.8)] + [_seen(0.95)] * 9
    state, decisions = _run(_state(), observations)
    assert _kinds(decisions) == ["insert"]
    assert decisions[0].values["next_normalized_loss"] == 1.8
    assert state.next_normalized_loss is None  # that of another stage from here on
    assert (state.stage, len(state.plan)) == (1, 3)
    between = state.current
    assert (between.points_per_batch, between.patches_per_point) == (32, 4)


@pytest.mark.parametrize(("loss", "inserted"), [(1.5, 0), (1.51, 1)])
def test_only_a_step_above_the_bound_is_too_big(loss, inserted):
    state, _ = _run(_state(), [_seen(0.95, next_normalized_loss=loss)] * 11)
    assert (state.inserted, len(state.plan)) == (inserted, 2 + inserted)


def test_two_stages_at_most_are_inserted_each_before_the_next():
    state = _state(_EASY, _HUGE)
    shapes = []
    for _ in range(100):
        if state.stage == len(state.plan) - 1:
            break
        state, decisions = _run(state, [_seen(0.95, next_normalized_loss=1.8)])
        if "insert" in _kinds(decisions):
            stage = state.current
            shapes.append((stage.points_per_batch, stage.patches_per_point))
    assert state.inserted == 2
    assert shapes == [(128, 6), (360, 10)]
    assert [stage.points_per_batch for stage in state.plan] == [16, 128, 360, 1024]


@pytest.mark.parametrize(
    ("seen", "kinds"),
    [
        ({"normalized_loss": 1.0, "distance": 0.4}, ["suspect"]),
        ({"normalized_loss": 0.95, "distance": 0.6}, []),
        ({"normalized_loss": 1.05, "probe": {"effective_rank": 6.0}}, []),  # it nears a line
        ({"normalized_loss": 0.9, "distance": math.nan}, ["rollback"]),
        ({"normalized_loss": 1.05, "probe": {"effective_rank": 2.0}}, ["rollback"]),
    ],
)
def test_what_is_not_healthy_is_never_called_good(seen, kinds):
    _, decisions = observe(_state(_HARD), _seen(**seen), _SETTINGS)
    assert _kinds(decisions) == kinds
    if math.isnan(seen.get("distance", 0)):
        assert observe(_state(_HARD), _seen(**seen), ControllerConfig(enabled=False))[1] == ()


def test_the_last_stage_finishes_the_run():
    state, decisions = _run(_state(_HARD), [_seen(0.95)] * 10)
    assert _kinds(decisions) == ["finish"]
    assert state.ended
    assert state.stage == 0


def test_a_vanished_probe_distance_is_a_collapse_at_once():
    state, decisions = _run(_state(stage=1), [_seen(1.0, distance=0.05)])
    assert _kinds(decisions) == ["rollback"]
    assert decisions[0].values["relative_distance"] == pytest.approx(0.05)
    assert state.rollbacks == 1
    shapes = [(stage.points_per_batch, stage.patches_per_point) for stage in state.plan]
    assert shapes == [(16, 2), (32, 4), (64, 8)]
    assert [stage.learning_rate for stage in state.plan] == pytest.approx([0.01, 0.003, 0.003])
    assert (state.stage, state.stage_step) == (1, 0)


_ONSET, _HEALTHY_AGAIN = (1.0, 0.4), (1.0, 1.0)


@pytest.mark.parametrize(
    ("trace", "kinds"),
    [
        ([_ONSET, _HEALTHY_AGAIN, _ONSET], ["suspect"] * 2),  # its signs must last
        ([_ONSET, _HEALTHY_AGAIN, _ONSET, _ONSET], ["suspect", "suspect", "rollback"]),
        # The first steps of healthy runs, with a loss above the collapse point.
        ([(1.1, distance) for distance in (0.35, 0.40, 0.45, 0.55, 0.9)], ["suspect"] * 3),
        # A healthy run at S 128, K 4, 2e-2: it lasts, but does not go on falling.
        ([(1.2, distance) for distance in (0.48, 0.44, 0.43, 0.50, 0.68)], ["suspect"] * 3),
        ([(1.1, distance) for distance in (0.34, 0.38, 0.37)], ["suspect", "suspect", "rollback"]),
        # A network without normalisation may shrink its scale and still learn.
        ([(0.5, 0.3)] * 5, []),
        # A final batch norm keeps healthy runs at 1.02 of the margin.
        ([(1.02, 1.0)] * 9, []),
    ],
)
def test_what_recovers_or_learns_is_no_collapse(trace, kinds):
    _, decisions = _run(_state(_HARD), [_seen(loss, distance=distance) for loss, distance in trace])
    assert _kinds(decisions) == kinds


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_rolls_back(loss):
    state, decisions = _run(_state(_HARD), [_seen(0.9), _seen(loss)])
    assert _kinds(decisions) == ["rollback"]
    assert "not finite" in decisions[0].reason
    assert state.smoothed is None


_ONE_TRY = _SETTINGS.model_copy(update={"max_rollbacks": 1})


def _drive(state, loss):
    """Goes on with unchanging observations, each of as many steps as a run would take."""
    made = []
    while not state.ended:
        steps = steps_until_decision(state, 10)
        state, decisions = observe(state, _seen(loss, steps=steps), _SETTINGS)
        made += [item.kind for item in decisions if item.kind != "good"]
    return state, made


@pytest.mark.parametrize(
    ("steps", "kinds", "shapes"),
    [
        (100, ["promote", "finish"], [(32, 2), (64, 8)]),
        (130, ["lengthen", "promote", "finish"], [(32, 2), (64, 8)]),
        (240, ["lengthen", "insert", "lengthen", "promote", "finish"], [(32, 2), (40, 4), (64, 8)]),
    ],
    ids=["with few steps left", "after half of them", "with a stage in between"],
)
def test_after_a_rollback_growth_is_tried_again_in_smaller_steps(steps, kinds, shapes):
    plan = (_HARD.model_copy(update={"max_steps": steps, "min_steps": 0}),)
    state, _ = _run(_state(*plan), [_seen(0.95)] * 3 + [_seen(1.0, distance=0.05)])
    state, made = _drive(state, 0.97)
    assert made == kinds
    assert [(stage.points_per_batch, stage.patches_per_point) for stage in state.plan] == shapes
    assert 0.98 * steps * 512 < state.patches <= steps * 512
    assert state.trained[0] > 30 * 512 + 0.08 * steps * 512  # the hard stage came back


def test_when_growing_again_fails_the_stage_before_goes_on_as_it_was():
    plan = (_HARD.model_copy(update={"max_steps": 130, "min_steps": 0}),)
    state, _ = _run(_state(*plan), [_seen(0.95)] * 3 + [_seen(1.0, distance=0.05)])
    while len(state.plan) - 1 > state.stage:
        steps = steps_until_decision(state, 10)
        state, _ = observe(state, _seen(0.97, steps=steps), _SETTINGS)
    assert state.current.patches_per_point == 8
    held = state.plan[0]
    state, decisions = observe(state, _seen(1.0, distance=0.05), _SETTINGS)
    assert _kinds(decisions) == ["rollback"]
    again, hard = state.plan[1:]
    assert again.learning_rate == held.learning_rate == pytest.approx(0.003)
    assert again.in_words.startswith(held.in_words.partition(" steps")[0])
    assert hard.learning_rate == pytest.approx(0.0009)


def test_growth_is_not_tried_again_from_a_state_that_is_not_good():
    state, _ = _run(_state(_HARD), [_seen(0.95)] * 3 + [_seen(1.0, distance=0.05)])
    near_a_line = _seen(1.05, probe={"effective_rank": 6.0})
    _, decisions = _run(state, [near_a_line] * 24)
    assert _kinds(decisions) == ["lengthen"]


def test_after_the_last_try_a_stage_whose_next_is_too_hard_takes_over_its_patches():
    state, _ = _run(_state(_HARD), [_seen(0.95)] * 3 + [_seen(1.0, distance=0.05)], _ONE_TRY)
    state, decisions = _run(state, [_seen(0.97, next_normalized_loss=1.2)] * 24, _ONE_TRY)
    assert _kinds(decisions) == ["lengthen"]
    assert [(stage.batch, stage.max_steps) for stage in state.plan] == [(64, 480)]
    assert state.planned == (-1,)
    state, decisions = _run(state, [_seen(0.97)] * 24, _ONE_TRY)
    assert _kinds(decisions) == ["finish"]
    assert (state.patches, state.trained) == (100 * 512, (30 * 512,))


def test_patches_are_counted_by_planned_stage():
    state, _ = _run(_state(), [_seen(0.95)] * 11)  # a plateau promotes
    state, _ = _run(state, [_seen(0.95)] * 2 + [_seen(1.0, distance=0.05)])
    assert state.trained == (110 * 32, 20 * 512)  # what the rollback undid does not count
    assert state.planned == (0, -1, 1)
    state, _ = _run(state, [_seen(0.95)])
    assert state.trained == (110 * 32, 20 * 512)
    assert state.patches == 110 * 32 + 30 * 512 + 10 * state.current.batch


def test_a_stage_that_collapses_at_once_counts_as_not_trained():
    state, _ = _run(_state(), [_seen(0.95)] * 11)  # a plateau promotes
    state, _ = _run(state, [_seen(1.0, distance=0.05)])
    assert state.trained == (110 * 32, 0)


def test_descriptors_that_fly_apart_are_rolled_back_and_never_called_good():
    state = _state(_HARD)
    flying = _seen(2.1, distance=3.1)
    state, decisions = observe(state, flying, _SETTINGS)
    assert _kinds(decisions) == ["rollback"]
    assert "diverges" in decisions[0].reason
    assert observe(_state(_HARD), _seen(1.9, distance=3.1), _SETTINGS)[1] == ()
    learning = observe(_state(_HARD), _seen(0.5, distance=3.1), _SETTINGS)[1]
    assert _kinds(learning) == ["good"]


def test_a_collapse_in_the_last_steps_of_the_plan_ends_the_run_with_the_good_state():
    state, decisions = _run(_state(_HARD), [_seen(0.95)] * 9 + [_seen(1.0, distance=0.05)])
    assert _kinds(decisions) == ["rollback", "finish"]
    assert "last steps" in state.ended


def test_an_inserted_stage_adds_no_patches():
    observations = [_seen(0.95)] + [_seen(0.95, next_normalized_loss=1.8)] + [_seen(0.95)] * 9
    state, _ = _run(_state(), observations)
    assert sum(stage.max_steps * stage.batch for stage in state.plan[1:]) <= 100 * 512
    assert state.planned == (0, -1, 1)


def test_a_promotion_earned_after_a_rollback_hands_the_patches_on():
    state, _ = _run(_state(_HARD), [_seen(0.95)] * 3 + [_seen(1.0, distance=0.05)])
    state, decisions = _run(state, [_seen(0.97)] * 3 + [_seen(0.97, next_normalized_loss=0.9)])
    assert _kinds(decisions) == ["promote"]
    # 200 of the easier stage's 240 steps were left, 25 of the hard one's size.
    assert state.current.max_steps == 30 + 25


def test_no_plateau_promotes_after_a_rollback():
    plan = (_HARD.model_copy(update={"max_steps": 200}),)
    state, _ = _run(_state(*plan), [_seen(1.0, distance=0.05)])
    state, decisions = _run(state, [_seen(0.97, next_normalized_loss=1.8)] * 30)
    assert decisions == []
    assert state.stage == 0


def test_an_easier_stage_may_shrink_for_a_while_but_not_to_nothing():
    plan = (_HARD.model_copy(update={"max_steps": 300}),)
    state, _ = _run(_state(*plan), [_seen(1.0, distance=0.05)])
    assert state.easier
    state, decisions = _run(state, [_seen(1.0, distance=0.3)] * 9)
    assert decisions == []
    _, decisions = _run(state, [_seen(1.0, distance=0.11)] * 2)
    assert _kinds(decisions) == ["suspect", "rollback"]
    state, _ = _run(state, [_seen(0.9, next_normalized_loss=0.9)])
    assert (state.stage, state.easier) == (1, False)
    _, decisions = _run(state, [_seen(1.0, distance=0.4)] * 2)
    assert _kinds(decisions) == ["suspect", "rollback"]


def test_after_too_many_rollbacks_the_run_gives_up_with_a_reason():
    collapse = _seen(1.0, distance=0.01)
    state, decisions = _run(_state(), [collapse] * 3)
    assert _kinds(decisions) == ["rollback", "rollback", "give_up"]
    assert state.ended.startswith("gave up")
    assert "2 rollbacks" in state.ended


def test_without_the_controller_only_max_steps_move_on():
    settings = ControllerConfig(enabled=False)
    for seen in (
        _seen(1.0, distance=0.01, next_normalized_loss=0.1),
        _seen(0.95, next_normalized_loss=1.8),  # for which a stage would be inserted
    ):
        state, decisions = _run(_state(), [seen] * 30, settings)
        ends = [(decision.kind, decision.step) for decision in decisions]
        assert ends == [("promote", 200), ("finish", 300)]
        assert len(state.plan) == 2
    _, decisions = _run(_state(), [_seen(math.nan)], settings)
    assert _kinds(decisions) == ["give_up"]


def test_a_slow_machine_shortens_the_plan_in_proportion():
    settings = ControllerConfig(max_cpu_minutes=1)
    plan = (_HARD.model_copy(update={"max_steps": 1000, "schedule": "linear"}),)
    observations = [_seen(0.95, cpu_seconds=5.0 + 5.0 * number) for number in range(3)]
    state, decisions = _run(_state(*plan), observations, settings)
    # Half a second a step: 970 steps need 485 s; 60 - 15 s are left, 8 of them for the export.
    assert _kinds(decisions) == ["shorten"]
    assert decisions[0].values["needed_seconds"] == pytest.approx(485)
    assert state.current.max_steps == 30 + int(0.95 * 37 / 0.5)


def test_a_stage_gets_its_share_of_the_time():
    settings = ControllerConfig(max_cpu_minutes=2)
    easy = StageConfig(points_per_batch=16, patches_per_point=4, min_steps=90, max_steps=130)
    hard = easy.model_copy(update={"max_steps": 900})
    observations = [_seen(0.95, cpu_seconds=2.0 + 5.0 * number) for number in range(3)]
    state, decisions = _run(_state(easy, hard), observations, settings)
    # A tenth of the patches to come are the stage's, and so is a tenth of 120 - 12 - 8 s.
    assert _kinds(decisions) == ["shorten"]
    assert decisions[0].values["available_seconds"] == pytest.approx(10)
    assert [stage.max_steps for stage in state.plan] == [30 + 19, 900]
    assert state.current.min_steps == 49


def test_a_fast_machine_keeps_the_plan():
    observations = [_seen(0.95, cpu_seconds=0.1 * number) for number in range(8)]
    settings = ControllerConfig(max_cpu_minutes=1)
    assert _run(_state(_HARD), observations, settings)[1] == []


def _recorded() -> dict[str, dict]:
    """Runs at S 64, K 8, width 1/8, looked at every 10 steps."""
    return json.loads(Path(__file__).with_name("recorded_probes.json").read_text())


@pytest.mark.parametrize("name", _recorded())
def test_recorded_runs(name):
    record = _recorded()[name]
    start = ProbeSignals(**record["start"])
    stage = _HARD.model_copy(update={"max_steps": 1000})
    state = ControllerState((stage,), start, healthy_distance(start, record["length"]))
    made = []
    for normalized_loss, *signals in record["observations"]:
        seen = Observation(10, normalized_loss, normalized_loss, ProbeSignals(*signals))
        state, decisions = observe(state, seen, ControllerConfig())
        made += [decision for decision in decisions if decision.kind == "rollback"]
        if made:
            break
    if name.startswith("healthy"):
        assert not made
        return
    (rollback,) = made
    if "line" in name:
        assert rollback.values["relative_rank"] < 0.1 < 0.9 < rollback.values["relative_distance"]
        return
    distances = [signals[0] / start.pair_distance for _, *signals in record["observations"]]
    last_above = max(
        (10 * n for n, distance in enumerate(distances, 1) if distance >= 0.5), default=0
    )
    assert rollback.step - last_above <= 30


def test_loops_end_with_the_stage():
    state = _state(_HARD, stage_step=95)
    assert steps_until_decision(state, 10) == 5
    assert steps_until_decision(_state(_HARD), 10) == 10


def test_the_next_shape_is_probed_from_min_steps_on_now_and_then():
    steps = [n for n in range(0, 200, 10) if wants_next_probe(_state(stage_step=n), 10)]
    assert steps == [10, 40, 90, 140, 190]
    assert not wants_next_probe(_state(_HARD), 10)


# Neither healthy nor surely collapsing: a loss at the collapse point, distance 0.45.
_BETWEEN = _seen(1.0, distance=0.45)


def test_a_suspect_last_stage_ends_with_its_steps():
    state, decisions = _run(_state(_HARD), [_seen(0.9)] + [_BETWEEN] * 9)
    assert state.step == 100
    assert state.ended == "the last stage has had its steps"
    assert _kinds(decisions)[-2:] == ["suspect", "finish"]


def test_a_harder_stage_does_not_begin_from_a_suspect_state():
    easy = _EASY.model_copy(update={"max_steps": 50})
    state, decisions = _run(_state(easy, _HARD), [_seen(0.95)] + [_BETWEEN] * 4)
    assert (state.stage, state.rollbacks) == (0, 1)
    assert _kinds(decisions)[-1] == "rollback"


def test_a_loss_below_the_collapse_point_earns_no_promotion_without_spread():
    thin = {"effective_rank": 0.12 * _HEALTHY.effective_rank}
    seen = _seen(0.95, distance=0.15, next_normalized_loss=0.9, probe=thin)
    state, decisions = _run(_state(), [seen] * 3)
    assert state.stage == 0
    assert "promote" not in _kinds(decisions)

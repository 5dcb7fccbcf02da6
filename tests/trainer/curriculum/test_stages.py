"""The controller as a state machine, on invented and on recorded traces."""

import json
import math
from pathlib import Path

import pytest

from tests.trainer.curriculum.traces import (
    EASY,
    HARD,
    HEALTHY,
    HUGE,
    SETTINGS,
    fed,
    kinds_of,
    observed,
    state_of,
)
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


def test_healthy_steps_are_counted_and_called_good():
    state, decisions = observe(state_of(), observed(0.95), SETTINGS)
    assert (state.step, state.stage_step, state.patches) == (10, 10, 320)
    assert kinds_of(decisions) == ["good"]


def test_promotion_when_the_smoothed_loss_is_low():
    # Running means 0.9, 0.75: below 0.8 at the second, but not before min_steps.
    state, decisions = fed(state_of(), [observed(0.9), observed(0.6)])
    assert state.stage == 1
    assert (state.stage_step, state.smoothed, state.step) == (0, None, 20)
    assert kinds_of(decisions) == ["promote"]
    assert decisions[0].values["smoothed_normalized_loss"] == pytest.approx(0.75)
    assert decisions[0].stage == 0


@pytest.mark.parametrize(("loss", "lowest_at"), [(0.99, 0), (0.98, 10)])
def test_a_loss_must_fall_by_more_than_a_hundredth_to_end_a_plateau(loss, lowest_at):
    settings = SETTINGS.model_copy(update={"smoothing": 0.0})
    state, _ = observe(state_of(lowest=1.0), observed(loss), settings)
    assert state.lowest_at == lowest_at


def test_a_smoothed_loss_at_the_threshold_is_not_below_it():
    state = state_of()
    at = state.current.promote_below
    state, decisions = fed(state, [observed(at), observed(at)])
    assert (state.stage, state.smoothed, kinds_of(decisions)) == (0, at, [])


@pytest.mark.parametrize("losses", [[0.1], [0.95, 0.95, 0.7]], ids=["too early", "lucky once"])
def test_a_low_loss_alone_promotes_nobody(losses):
    state, decisions = fed(state_of(), [observed(loss) for loss in losses])
    assert state.stage == 0
    assert decisions == []


def test_promotion_when_the_next_batch_is_already_below_the_collapse_point():
    state, decisions = fed(state_of(), [observed(0.95), observed(0.95, next_normalized_loss=0.9)])
    assert state.stage == 1
    assert "next stage" in decisions[0].reason


def test_promotion_on_a_plateau():
    state, decisions = fed(state_of(), [observed(0.95)] * 11)
    assert state.stage == 1
    assert "plateau" in decisions[0].reason
    assert decisions[0].step == 110  # the first observation was the last improvement


def test_a_falling_loss_is_no_plateau_and_ends_at_max_steps():
    observations = [observed(2 * 0.95**number) for number in range(20)]
    plan = (EASY.model_copy(update={"promote_below": None}), HARD)
    state, decisions = fed(state_of(*plan), observations)
    assert state.stage == 1
    assert decisions[0].reason == "maximum steps reached"
    assert decisions[0].step == 200


def test_too_big_a_step_gets_an_intermediate_stage_also_where_it_was_measured_but_once():
    observations = (
        [observed(0.95)] + [observed(0.95, next_normalized_loss=1.8)] + [observed(0.95)] * 9
    )
    state, decisions = fed(state_of(), observations)
    assert kinds_of(decisions) == ["insert"]
    assert decisions[0].values["next_normalized_loss"] == 1.8
    assert state.next_normalized_loss is None  # that of another stage from here on
    assert (state.stage, len(state.plan)) == (1, 3)
    between = state.current
    assert (between.points_per_batch, between.patches_per_point) == (32, 4)


@pytest.mark.parametrize(("loss", "inserted"), [(1.5, 0), (1.51, 1)])
def test_only_a_step_above_the_bound_is_too_big(loss, inserted):
    state, _ = fed(state_of(), [observed(0.95, next_normalized_loss=loss)] * 11)
    assert (state.inserted, len(state.plan)) == (inserted, 2 + inserted)


def test_two_stages_at_most_are_inserted_each_before_the_next():
    state = state_of(EASY, HUGE)
    shapes = []
    for _ in range(100):
        if state.stage == len(state.plan) - 1:
            break
        state, decisions = fed(state, [observed(0.95, next_normalized_loss=1.8)])
        if "insert" in kinds_of(decisions):
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
    _, decisions = observe(state_of(HARD), observed(**seen), SETTINGS)
    assert kinds_of(decisions) == kinds
    if math.isnan(seen.get("distance", 0)):
        assert observe(state_of(HARD), observed(**seen), ControllerConfig(enabled=False))[1] == ()


def test_the_last_stage_finishes_the_run():
    state, decisions = fed(state_of(HARD), [observed(0.95)] * 10)
    assert kinds_of(decisions) == ["finish"]
    assert state.ended
    assert state.stage == 0


def test_a_vanished_probe_distance_is_a_collapse_at_once():
    state, decisions = fed(state_of(stage=1), [observed(1.0, distance=0.05)])
    assert kinds_of(decisions) == ["rollback"]
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
    _, decisions = fed(
        state_of(HARD), [observed(loss, distance=distance) for loss, distance in trace]
    )
    assert kinds_of(decisions) == kinds


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_rolls_back(loss):
    state, decisions = fed(state_of(HARD), [observed(0.9), observed(loss)])
    assert kinds_of(decisions) == ["rollback"]
    assert "not finite" in decisions[0].reason
    assert state.smoothed is None


def test_descriptors_that_fly_apart_are_rolled_back_and_never_called_good():
    state = state_of(HARD)
    flying = observed(2.1, distance=3.1)
    state, decisions = observe(state, flying, SETTINGS)
    assert kinds_of(decisions) == ["rollback"]
    assert "diverges" in decisions[0].reason
    assert observe(state_of(HARD), observed(1.9, distance=3.1), SETTINGS)[1] == ()
    learning = observe(state_of(HARD), observed(0.5, distance=3.1), SETTINGS)[1]
    assert kinds_of(learning) == ["good"]


def test_an_inserted_stage_adds_no_patches():
    observations = (
        [observed(0.95)] + [observed(0.95, next_normalized_loss=1.8)] + [observed(0.95)] * 9
    )
    state, _ = fed(state_of(), observations)
    assert sum(stage.max_steps * stage.batch for stage in state.plan[1:]) <= 100 * 512
    assert state.planned == (0, -1, 1)


def test_an_easier_stage_may_shrink_for_a_while_but_not_to_nothing():
    plan = (HARD.model_copy(update={"max_steps": 300}),)
    state, _ = fed(state_of(*plan), [observed(1.0, distance=0.05)])
    assert state.easier
    state, decisions = fed(state, [observed(1.0, distance=0.3)] * 9)
    assert decisions == []
    _, decisions = fed(state, [observed(1.0, distance=0.11)] * 2)
    assert kinds_of(decisions) == ["suspect", "rollback"]
    state, _ = fed(state, [observed(0.9, next_normalized_loss=0.9)])
    assert (state.stage, state.easier) == (1, False)
    _, decisions = fed(state, [observed(1.0, distance=0.4)] * 2)
    assert kinds_of(decisions) == ["suspect", "rollback"]


def test_after_too_many_rollbacks_the_run_gives_up_with_a_reason():
    collapse = observed(1.0, distance=0.01)
    state, decisions = fed(state_of(), [collapse] * 3)
    assert kinds_of(decisions) == ["rollback", "rollback", "give_up"]
    assert state.ended.startswith("gave up")
    assert "2 rollbacks" in state.ended


def test_without_the_controller_only_max_steps_move_on():
    settings = ControllerConfig(enabled=False)
    for seen in (
        observed(1.0, distance=0.01, next_normalized_loss=0.1),
        observed(0.95, next_normalized_loss=1.8),  # for which a stage would be inserted
    ):
        state, decisions = fed(state_of(), [seen] * 30, settings)
        ends = [(decision.kind, decision.step) for decision in decisions]
        assert ends == [("promote", 200), ("finish", 300)]
        assert len(state.plan) == 2
    _, decisions = fed(state_of(), [observed(math.nan)], settings)
    assert kinds_of(decisions) == ["give_up"]


def test_a_slow_machine_shortens_the_plan_in_proportion():
    settings = ControllerConfig(max_cpu_minutes=1)
    plan = (HARD.model_copy(update={"max_steps": 1000, "schedule": "linear"}),)
    observations = [observed(0.95, cpu_seconds=5.0 + 5.0 * number) for number in range(3)]
    state, decisions = fed(state_of(*plan), observations, settings)
    # Half a second a step: 970 steps need 485 s; 60 - 15 s are left, 8 of them for the export.
    assert kinds_of(decisions) == ["shorten"]
    assert decisions[0].values["needed_seconds"] == pytest.approx(485)
    assert state.current.max_steps == 30 + int(0.95 * 37 / 0.5)


def test_a_stage_gets_its_share_of_the_time():
    settings = ControllerConfig(max_cpu_minutes=2)
    easy = StageConfig(points_per_batch=16, patches_per_point=4, min_steps=90, max_steps=130)
    hard = easy.model_copy(update={"max_steps": 900})
    observations = [observed(0.95, cpu_seconds=2.0 + 5.0 * number) for number in range(3)]
    state, decisions = fed(state_of(easy, hard), observations, settings)
    # A tenth of the patches to come are the stage's, and so is a tenth of 120 - 12 - 8 s.
    assert kinds_of(decisions) == ["shorten"]
    assert decisions[0].values["available_seconds"] == pytest.approx(10)
    assert [stage.max_steps for stage in state.plan] == [30 + 19, 900]
    assert state.current.min_steps == 49


def test_a_fast_machine_keeps_the_plan():
    observations = [observed(0.95, cpu_seconds=0.1 * number) for number in range(8)]
    settings = ControllerConfig(max_cpu_minutes=1)
    assert fed(state_of(HARD), observations, settings)[1] == []


def _recorded() -> dict[str, dict]:
    """Runs at S 64, K 8, width 1/8, looked at every 10 steps."""
    return json.loads(Path(__file__).with_name("recorded_probes.json").read_text())


@pytest.mark.parametrize("name", _recorded())
def test_recorded_runs(name):
    record = _recorded()[name]
    start = ProbeSignals(**record["start"])
    stage = HARD.model_copy(update={"max_steps": 1000})
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
    state = state_of(HARD, stage_step=95)
    assert steps_until_decision(state, 10) == 5
    assert steps_until_decision(state_of(HARD), 10) == 10


def test_the_next_shape_is_probed_from_min_steps_on_now_and_then():
    steps = [n for n in range(0, 200, 10) if wants_next_probe(state_of(stage_step=n), 10)]
    assert steps == [10, 40, 90, 140, 190]
    assert not wants_next_probe(state_of(HARD), 10)


# Neither healthy nor surely collapsing: a loss at the collapse point, distance 0.45.
_BETWEEN = observed(1.0, distance=0.45)


def test_a_suspect_last_stage_ends_with_its_steps():
    state, decisions = fed(state_of(HARD), [observed(0.9)] + [_BETWEEN] * 9)
    assert state.step == 100
    assert state.ended == "the last stage has had its steps"
    assert kinds_of(decisions)[-2:] == ["suspect", "finish"]


def test_a_harder_stage_does_not_begin_from_a_suspect_state():
    easy = EASY.model_copy(update={"max_steps": 50})
    state, decisions = fed(state_of(easy, HARD), [observed(0.95)] + [_BETWEEN] * 4)
    assert (state.stage, state.rollbacks) == (0, 1)
    assert kinds_of(decisions)[-1] == "rollback"


def test_a_loss_below_the_collapse_point_earns_no_promotion_without_spread():
    thin = {"effective_rank": 0.12 * HEALTHY.effective_rank}
    seen = observed(0.95, distance=0.15, next_normalized_loss=0.9, probe=thin)
    state, decisions = fed(state_of(), [seen] * 3)
    assert state.stage == 0
    assert "promote" not in kinds_of(decisions)

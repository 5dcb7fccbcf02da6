"""What the controller does after a rollback: it grows again, within the plan's patches."""

import pytest

from tests.trainer.curriculum.traces import HARD, SETTINGS, fed, kinds_of, observed, state_of
from trainer.curriculum.stages import observe, steps_until_decision

_ONE_TRY = SETTINGS.model_copy(update={"max_rollbacks": 1})


def _drive(state, loss):
    """Goes on with unchanging observations, each of as many steps as a run would take."""
    made = []
    while not state.ended:
        steps = steps_until_decision(state, 10)
        state, decisions = observe(state, observed(loss, steps=steps), SETTINGS)
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
    plan = (HARD.model_copy(update={"max_steps": steps, "min_steps": 0}),)
    state, _ = fed(state_of(*plan), [observed(0.95)] * 3 + [observed(1.0, distance=0.05)])
    state, made = _drive(state, 0.97)
    assert made == kinds
    assert [(stage.points_per_batch, stage.patches_per_point) for stage in state.plan] == shapes
    assert 0.98 * steps * 512 < state.patches <= steps * 512
    assert state.trained[0] > 30 * 512 + 0.08 * steps * 512  # the hard stage came back


def test_when_growing_again_fails_the_stage_before_goes_on_as_it_was():
    state = _on_trial()
    assert state.current.patches_per_point == 8
    held = state.plan[0]
    state, decisions = observe(state, observed(1.0, distance=0.05), SETTINGS)
    assert kinds_of(decisions) == ["rollback"]
    again, hard = state.plan[1:]
    assert again.learning_rate == held.learning_rate == pytest.approx(0.003)
    assert again.in_words.startswith(held.in_words.partition(" steps")[0])
    assert hard.learning_rate == pytest.approx(0.0009)


def _on_trial(steps=130):
    """A run whose hard stage collapsed, came back and has just begun again."""
    plan = (HARD.model_copy(update={"max_steps": steps, "min_steps": 0}),)
    state, _ = fed(state_of(*plan), [observed(0.95)] * 3 + [observed(1.0, distance=0.05)])
    while len(state.plan) - 1 > state.stage:
        steps = steps_until_decision(state, 10)
        state, _ = observe(state, observed(0.97, steps=steps), SETTINGS)
    assert state.grown
    return state


def test_a_try_is_not_called_good_before_it_learns_and_ends_with_the_first_sure_sign():
    state, decisions = observe(_on_trial(), observed(1.3), SETTINGS)
    assert decisions == ()
    _, decisions = observe(state, observed(0.89), SETTINGS)
    assert kinds_of(decisions) == ["good"]
    _, decisions = observe(state, observed(1.3, distance=0.39), SETTINGS)
    assert kinds_of(decisions) == ["rollback"]


def test_a_try_that_ends_suspect_is_taken_back():
    state = _on_trial()
    left = state.current.max_steps - state.stage_step
    _, decisions = observe(state, observed(1.3, distance=0.45, steps=left), SETTINGS)
    assert kinds_of(decisions) == ["rollback", "finish"]


def test_a_step_that_is_hopeless_is_not_tried():
    plan = (HARD.model_copy(update={"max_steps": 130, "min_steps": 0}),)
    state, _ = fed(state_of(*plan), [observed(0.95)] * 3 + [observed(1.0, distance=0.05)])
    made = []
    while not state.ended:
        steps = steps_until_decision(state, 10)
        seen = observed(0.97, steps=steps, next_normalized_loss=1.51)
        state, decisions = observe(state, seen, SETTINGS)
        made += [item.kind for item in decisions if item.kind != "good"]
    assert made == ["lengthen", "lengthen", "finish"]


def test_growth_is_not_tried_again_from_a_state_that_is_not_good():
    state, _ = fed(state_of(HARD), [observed(0.95)] * 3 + [observed(1.0, distance=0.05)])
    near_a_line = observed(1.05, probe={"effective_rank": 6.0})
    _, decisions = fed(state, [near_a_line] * 24)
    assert kinds_of(decisions) == ["lengthen"]


def test_after_the_last_try_a_stage_whose_next_is_too_hard_takes_over_its_patches():
    state, _ = fed(state_of(HARD), [observed(0.95)] * 3 + [observed(1.0, distance=0.05)], _ONE_TRY)
    state, decisions = fed(state, [observed(0.97, next_normalized_loss=1.2)] * 24, _ONE_TRY)
    assert kinds_of(decisions) == ["lengthen"]
    assert [(stage.batch, stage.max_steps) for stage in state.plan] == [(64, 480)]
    assert state.planned == (-1,)
    state, decisions = fed(state, [observed(0.97)] * 24, _ONE_TRY)
    assert kinds_of(decisions) == ["finish"]
    assert (state.patches, state.trained) == (100 * 512, (30 * 512,))


def test_patches_are_counted_by_planned_stage():
    state, _ = fed(state_of(), [observed(0.95)] * 11)  # a plateau promotes
    state, _ = fed(state, [observed(0.95)] * 2 + [observed(1.0, distance=0.05)])
    assert state.trained == (110 * 32, 20 * 512)  # what the rollback undid does not count
    assert state.planned == (0, -1, 1)
    state, _ = fed(state, [observed(0.95)])
    assert state.trained == (110 * 32, 20 * 512)
    assert state.patches == 110 * 32 + 30 * 512 + 10 * state.current.batch


def test_a_stage_that_collapses_at_once_counts_as_not_trained():
    state, _ = fed(state_of(), [observed(0.95)] * 11)  # a plateau promotes
    state, _ = fed(state, [observed(1.0, distance=0.05)])
    assert state.trained == (110 * 32, 0)


def test_a_collapse_in_the_last_steps_of_the_plan_ends_the_run_with_the_good_state():
    state, decisions = fed(state_of(HARD), [observed(0.95)] * 9 + [observed(1.0, distance=0.05)])
    assert kinds_of(decisions) == ["rollback", "finish"]
    assert "last steps" in state.ended


def test_a_promotion_earned_after_a_rollback_hands_the_patches_on():
    state, _ = fed(state_of(HARD), [observed(0.95)] * 3 + [observed(1.0, distance=0.05)])
    state, decisions = fed(state, [observed(0.97)] * 3 + [observed(0.97, next_normalized_loss=0.9)])
    assert kinds_of(decisions) == ["promote"]
    # 200 of the easier stage's 240 steps were left, 25 of the hard one's size.
    assert state.current.max_steps == 30 + 25


def test_no_plateau_promotes_after_a_rollback():
    plan = (HARD.model_copy(update={"max_steps": 200}),)
    state, _ = fed(state_of(*plan), [observed(1.0, distance=0.05)])
    state, decisions = fed(state, [observed(0.97, next_normalized_loss=1.8)] * 30)
    assert decisions == []
    assert state.stage == 0

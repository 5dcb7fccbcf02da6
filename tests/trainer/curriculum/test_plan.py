"""Arithmetic on the stages of a plan."""

import pytest

from trainer.core.config import StageConfig
from trainer.curriculum.plan import (
    easier_plan,
    handed_on,
    intermediate,
    lengthened,
    rate_at,
    with_intermediate,
)

_EASY = StageConfig(points_per_batch=16, patches_per_point=2, learning_rate=0.01)
_HARD = StageConfig(points_per_batch=64, patches_per_point=8, learning_rate=0.01)


def test_a_collapse_of_the_first_stage_makes_it_easier():
    first, *_ = easier_plan((_HARD,), 0, 0, 0.3, 1)
    assert (first.points_per_batch, first.patches_per_point) == (32, 2)
    assert first.learning_rate == pytest.approx(0.003)
    smallest = _EASY.model_copy(update={"points_per_batch": 16})
    plan = easier_plan((smallest,), 0, 0, 0.3, 1)
    assert len(plan) == 1  # nothing smaller: only the rate falls
    assert plan[0].learning_rate == pytest.approx(0.003)


def test_intermediate_stages_divide_among_the_replicas():
    between = intermediate(_EASY, _HARD.model_copy(update={"points_per_batch": 100}), 8)
    assert between is not None
    assert between.points_per_batch == 40
    assert intermediate(_EASY, _EASY, 1) is None


def test_rates_follow_their_schedule():
    linear = StageConfig(learning_rate=0.1, schedule="linear", max_steps=10, warm_up_steps=1)
    assert [rate_at(linear, step) for step in (0, 1, 5, 10)] == pytest.approx([0.05, 0.09, 0.05, 0])
    assert rate_at(_EASY, 199) == 0.01


def test_an_intermediate_stage_has_half_the_steps_of_the_one_it_prepares():
    between = intermediate(_EASY, _HARD.model_copy(update={"max_steps": 90, "min_steps": 60}), 1)
    assert between is not None
    assert (between.points_per_batch, between.patches_per_point) == (32, 4)
    assert (between.min_steps, between.max_steps, between.schedule) == (45, 45, "constant")


def test_stages_in_between_never_outgrow_data_or_noises():
    tiny = StageConfig(points_per_batch=5, patches_per_point=4)
    first, _ = easier_plan((tiny,), 0, 0, 0.3, 1)
    assert (first.points_per_batch, first.patches_per_point) == (5, 2)
    many = StageConfig(points_per_batch=16, patches_per_point=16)
    easy_only = StageConfig(points_per_batch=64, patches_per_point=5, noises=("e",))
    between = intermediate(many, easy_only, 1)
    assert between is not None
    assert between.patches_per_point == 6  # sqrt(80) is 9, the easy patches are 5


def test_a_collapse_does_not_lengthen_the_run():
    plan = easier_plan((_HARD.model_copy(update={"max_steps": 100}),), 0, 40, 0.3, 1)
    assert [(stage.batch, stage.max_steps) for stage in plan] == [(64, 240), (512, 30)]
    smallest = _EASY.model_copy(update={"max_steps": 100})
    (again,) = easier_plan((smallest,), 0, 40, 0.3, 1)
    assert again.max_steps == 60


def _patches(plan):
    return sum(stage.max_steps * stage.batch for stage in plan)


@pytest.mark.parametrize(("step", "ends"), [(90, False), (91, True), (100, True)])
def test_a_collapse_in_the_last_steps_of_the_last_stage_leaves_nothing_to_go_on_with(step, ends):
    plan = easier_plan((_HARD.model_copy(update={"max_steps": 100}),), 0, step, 0.3, 1)
    assert (plan is None) is ends


def test_a_collapse_in_a_stages_last_step_borrows_from_the_following_one():
    first = _EASY.model_copy(update={"max_steps": 200})
    last = _HARD.model_copy(update={"max_steps": 100})
    plan = easier_plan((first, last), 0, 200, 0.3, 1)
    # Half of the last stage's 100 * 512 patches, which the smallest batch has for itself.
    assert [(stage.batch, stage.max_steps) for stage in plan] == [(32, 800), (512, 50)]
    assert [stage.learning_rate for stage in plan] == pytest.approx([0.003, 0.003])
    assert _patches(plan) == _patches((last,))


def test_a_stage_in_between_takes_its_patches_from_the_one_it_prepares():
    plan = (
        _EASY.model_copy(update={"max_steps": 100}),
        _HARD.model_copy(update={"max_steps": 80}),
    )
    longer = with_intermediate(plan, 0, 1)
    assert [(stage.batch, stage.max_steps) for stage in longer] == [(32, 100), (128, 40), (512, 70)]
    assert _patches(longer) == _patches(plan)
    near = _HARD.model_copy(update={"points_per_batch": 65})
    assert with_intermediate((_HARD, near), 0, 1) is None


def test_patches_move_between_stages():
    easy = _EASY.model_copy(update={"max_steps": 100})
    hard = _HARD.model_copy(update={"max_steps": 50})
    longer = lengthened((easy, hard), 0)
    assert [stage.max_steps for stage in longer] == [100 + 25 * 16, 25]
    assert lengthened((easy, hard, hard), 0) == (*longer, hard)
    (alone,) = lengthened(longer, 0)  # 12 steps are not worth a stage
    assert alone.max_steps == 100 + 50 * 16
    assert [stage.max_steps for stage in handed_on((easy, hard), 0, 36)] == [100, 50 + 4]

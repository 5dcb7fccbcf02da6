"""Arithmetic on the stages of a plan: rates, easier stages, stages in between."""

from __future__ import annotations

import math

from trainer.core.config import StageConfig
from trainer.core.variants import TARGETS

_UNIT = 8  # S of an inserted stage is a multiple of it
_FEW = 20  # steps that are not worth a stage of their own
_SMALLEST = 16  # points in the easiest batch that a rollback goes down to


def rate_at(stage: StageConfig, step: int) -> float:
    """Returns the learning rate of a stage's step, from 0.

    Example:
        >>> stage = StageConfig(learning_rate=0.1, schedule="linear", max_steps=10)
        >>> rate_at(stage, 0), rate_at(stage, 5)
        (0.1, 0.05)
    """
    rate = stage.learning_rate
    if stage.schedule == "linear":
        rate *= max(0.0, 1 - step / stage.max_steps)
    if step < stage.warm_up_steps:
        rate *= (step + 1) / (stage.warm_up_steps + 1)
    return rate


def easier_plan(
    plan: tuple[StageConfig, ...],
    stage: int,
    step: int,
    rate_drop: float,
    multiple: int,
    grown: bool = False,
) -> tuple[StageConfig, ...] | None:
    """Returns the plan after a collapse in `stage`, which has had `step` steps.

    All rates from there on fall, and an easier stage comes first: between the previous stage
    and this one, or, for the first stage, with half of its points and K = 2 (K drives
    a collapse more than S: the farthest of K positives). The run sees no more patches than
    before: the steps thrown away count, and the easier stage takes half of what is left. Where
    hardly anything is left of the stage, half of the following one's patches come to it.

    Args:
        plan: All stages.
        stage: Number of the collapsed one.
        step: Steps that it has had.
        rate_drop: Factor on its learning rate and all later ones.
        multiple: S of an easier stage is a multiple of it.
        grown: Whether the stage was a try to grow again: the easier stage is then the previous
            one as it was, which is known to train.

    Returns:
        None when the stage was the last one and hardly anything is left of it.
    """
    hard, *later = (
        following.model_copy(update={"learning_rate": following.learning_rate * rate_drop})
        for following in plan[stage:]
    )
    left = (hard.max_steps - step) * hard.batch
    if hard.max_steps - step < min(_FEW, hard.max_steps // 10):
        if not later:
            return None
        borrowed = _patches(later[0]) // 2
        later[0] = _with_patches(later[0], _patches(later[0]) - borrowed)
        left += borrowed
    easy: StageConfig | None
    if grown:
        easy = plan[stage - 1]
    elif stage > 0:
        easy = intermediate(plan[stage - 1], hard, multiple)
    else:
        halved = max(min(_SMALLEST, hard.points_per_batch), hard.points_per_batch // 2)
        easy = _shaped(hard, halved, 2, multiple)
    if easy is None:
        return (*plan[:stage], _with_patches(hard, left), *later)
    shared = (_with_patches(easy, left // 2), _with_patches(hard, left - left // 2))
    return (*plan[:stage], *shared, *later)


def with_intermediate(
    plan: tuple[StageConfig, ...], stage: int, multiple: int
) -> tuple[StageConfig, ...] | None:
    """Returns the plan with a stage between `stage` and the one after it.

    The new stage takes its patches from the one after it.

    Returns:
        None when no shape lies between the two, or when few steps would be left for each.
    """
    following = plan[stage + 1]
    between = intermediate(plan[stage], following, multiple)
    if between is None or between.max_steps < _FEW:
        return None
    rest = _with_patches(following, _patches(following) - _patches(between))
    return (*plan[: stage + 1], between, rest, *plan[stage + 2 :])


def lengthened(plan: tuple[StageConfig, ...], stage: int) -> tuple[StageConfig, ...]:
    """Returns the plan in which `stage` takes half of the patches of the stage after it.

    It takes all of them, and the stage after it goes, where few steps would be left.
    """
    present, following = plan[stage], plan[stage + 1]
    taken = following.max_steps // 2
    if following.max_steps - taken < _FEW:
        taken = following.max_steps
    steps = present.max_steps + taken * following.batch // present.batch
    present = present.model_copy(update={"max_steps": steps})
    kept = following.max_steps - taken
    rest = (_with_patches(following, kept * following.batch),) if kept else ()
    return (*plan[:stage], present, *rest, *plan[stage + 2 :])


def handed_on(plan: tuple[StageConfig, ...], stage: int, step: int) -> tuple[StageConfig, ...]:
    """Returns the plan in which the stage after `stage` gets the patches left of it at `step`."""
    present, following = plan[stage], plan[stage + 1]
    left = (present.max_steps - step) * present.batch
    longer = _with_patches(following, _patches(following) + left)
    return (*plan[: stage + 1], longer, *plan[stage + 2 :])


def _patches(stage: StageConfig) -> int:
    return stage.max_steps * stage.batch


def _with_patches(stage: StageConfig, patches: int) -> StageConfig:
    """Returns the stage with the steps that see so many patches, at least one."""
    steps = max(1, patches // stage.batch)
    return stage.model_copy(update={"max_steps": steps, "min_steps": min(stage.min_steps, steps)})


def intermediate(before: StageConfig, after: StageConfig, multiple: int) -> StageConfig | None:
    """Returns a stage between two (geometric means of S and K), or None when none fits."""
    points = round(math.sqrt(before.points_per_batch * after.points_per_batch))
    patches = round(math.sqrt(before.patches_per_point * after.patches_per_point))
    between = _shaped(after, points, patches, multiple)
    if between is None or _shape(between) == _shape(before):
        return None
    return between


def _shaped(stage: StageConfig, points: int, patches: int, multiple: int) -> StageConfig | None:
    """Returns half of `stage` with a smaller batch, or None when that would be its own shape."""
    # Rounded down, so that data which fill the given stages fill this one too.
    unit = math.lcm(multiple, _UNIT)
    if points < unit:
        unit = multiple
    points = max(2, unit, points // unit * unit)
    patches = min(patches, 1 + TARGETS * len(stage.noises))
    steps = max(1, stage.max_steps // 2)
    shaped = stage.model_copy(
        update={
            "points_per_batch": points,
            "patches_per_point": patches,
            "schedule": "constant",
            "min_steps": min(stage.min_steps, steps),
            "max_steps": steps,
        }
    )
    return None if _shape(shaped) == _shape(stage) else shaped


def _shape(stage: StageConfig) -> tuple[int, int]:
    return stage.points_per_batch, stage.patches_per_point

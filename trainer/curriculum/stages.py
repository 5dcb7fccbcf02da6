"""The stages of a run and the controller that moves between them: a pure state machine.

Progressive hard batch mining: start with a small easy batch, grow it while the loss
stays away from the collapse point L* (the loss of a network whose descriptors are all
equal), and go back when the signs of a collapse show. `observe` takes a state and what
was seen since, and returns the next state and the decisions taken; it reads no clock, no
file and no network, so that every rule can be tested on an invented trace.

A collapse is detected from the probe batch (`trainer.curriculum.probe`): its random pairs closer
than half of the start over `patience` observations and not about to recede, with the
loss nowhere below the collapse point; or at once when they are closer than a tenth, when the
effective rank has fallen below a tenth of the start with such a loss, or when anything is
not finite. A divergence, descriptors that fly apart with a loss far above the start's, is rolled
back like a collapse.

A rollback returns to the last good state (that before step 1 if there is none), lowers all
rates to come and puts an easier stage first, within the patches of the plan. A stage whose loss
on the next one's shape stays above the collapse point then goes on with half of that one's
patches; after these, growth is tried again, in a smaller step where a stage fits in between. When
that fails, the stage before goes on as it was. After `_MAX_RETRIES` such failures promotions must
be earned, and what is left of the plan is trained as it goes.
"""

from __future__ import annotations

import math
from dataclasses import replace

from trainer.core.config import ControllerConfig, StageConfig
from trainer.curriculum import collapse
from trainer.curriculum.budget import shortage
from trainer.curriculum.controller_state import (
    ADDED,
    ControllerState,
    Decision,
    Kind,
    Observation,
)
from trainer.curriculum.plan import easier_plan, handed_on, lengthened, with_intermediate

_RECOVERY = 1.1  # a probe distance that grows by more since the last observation recovers
_SURE = 0.8  # of the onset's distance: one that lasts is a collapse only when it went on falling
_IMPROVEMENT = 0.01  # relative fall of the smoothed loss that ends a plateau
_RATE_DROP = 0.3  # factor on every later learning rate after a rollback
_MAX_INSERTED = 2  # intermediate stages that promotions may insert
_MAX_RETRIES = 2  # rollbacks after which growth is still tried before it is earned
_TOO_BIG_A_STEP = 1.5  # normalized loss on the next stage's probe from which one is inserted
_NEXT_PROBE_EVERY = 50  # steps


def steps_until_decision(state: ControllerState, steps_per_loop: int) -> int:
    """Returns how many steps to take before the next observation."""
    return max(1, min(steps_per_loop, state.current.max_steps - state.stage_step))


def wants_next_probe(state: ControllerState, steps: int) -> bool:
    """Tells whether the observation after `steps` more should measure the next stage's shape.

    From `min_steps` on, now and then (it costs a pass of a large batch) and at the last step.
    """
    stage, reached = state.current, state.stage_step + steps
    if state.following is None or reached < stage.min_steps:
        return False
    due = reached // _NEXT_PROBE_EVERY > state.stage_step // _NEXT_PROBE_EVERY
    first = state.stage_step < stage.min_steps
    return due or first or reached >= stage.max_steps


def observe(
    state: ControllerState, seen: Observation, settings: ControllerConfig
) -> tuple[ControllerState, tuple[Decision, ...]]:
    """Takes one observation.

    Returns:
        The state after it and what was decided, in order. At most one decision moves
        between stages; after `give_up` or `finish` the state has `ended` set.
    """
    if not math.isfinite(seen.loss):
        state = _advanced(state, replace(seen, normalized_loss=math.inf), settings)
        return _collapsed(state, settings, "the loss is not finite", {})
    state = _advanced(state, seen, settings)
    if settings.enabled:
        distance, rank = _relative(state, seen)
        values = {
            "relative_distance": distance,
            "relative_rank": rank,
            "normalized_loss": seen.normalized_loss,
            "hardest_positive": seen.probe.hardest_positive,
            "hardest_negative": seen.probe.hardest_negative,
        }
        growth = _growth(state, seen)
        if collapse.diverges(growth, seen.normalized_loss, state.start.normalized_loss):
            return _collapsed(state, settings, "the network diverges", values)
        loss = min(seen.normalized_loss, seen.probe.normalized_loss)
        sign = collapse.sign(distance, rank, loss, state.easier)
        if sign == "collapse":
            return _collapsed(state, settings, "the probe batch has collapsed", values)
        if sign == "onset":
            recovers = distance > _RECOVERY * state.distance
            suspicious = state.suspicious + (0 if recovers else 1)
            state = replace(state, suspicious=suspicious, distance=distance)
            sure = distance < _SURE * collapse.onset_distance(state.easier)
            if sure and (suspicious >= settings.patience or state.grown):
                return _collapsed(state, settings, "the probe batch is collapsing", values)
            return _suspected(state, seen, settings, values)
        state = replace(state, suspicious=0, distance=distance)
    decisions: list[Decision] = []
    if _is_good(state, seen):
        decisions.append(_decision(state, "good", "the probe batch is healthy", {}))
        state = replace(state, kept=state.trained)
    state, more = _within_budget(state, seen, settings)
    decisions += more
    state, more = _moved_on(state, seen, settings)
    return state, tuple(decisions + more)


def _suspected(
    state: ControllerState,
    seen: Observation,
    settings: ControllerConfig,
    values: dict[str, float],
) -> tuple[ControllerState, tuple[Decision, ...]]:
    """Waits for a clearer sign, but no longer than the stage may last."""
    suspect = _decision(state, "suspect", "signs of a beginning collapse", values)
    last = state.following is None and not state.grown
    if state.stage_step >= state.current.max_steps and not last:
        # A harder stage would not begin from here, nor does a try end as a success.
        return _collapsed(state, settings, "the probe batch is collapsing", values)
    state, more = _within_budget(state, seen, settings)
    if state.stage_step < state.current.max_steps:
        return state, (suspect, *more)
    state, moved = _moved_on(state, seen, settings)
    return state, (suspect, *more, *moved)


def _advanced(
    state: ControllerState, seen: Observation, settings: ControllerConfig
) -> ControllerState:
    """Counts the steps and updates the running mean."""
    kept = settings.smoothing
    smoothed = (
        seen.normalized_loss
        if state.smoothed is None
        else kept * state.smoothed + (1 - kept) * seen.normalized_loss
    )
    next_loss = seen.next_normalized_loss
    next_loss = state.next_normalized_loss if next_loss is None else next_loss
    stage_step = state.stage_step + seen.steps
    improved = smoothed < state.lowest * (1 - _IMPROVEMENT)
    patches = seen.steps * state.current.batch
    return replace(
        state,
        step=state.step + seen.steps,
        stage_step=stage_step,
        smoothed=smoothed,
        lowest=smoothed if improved else state.lowest,
        lowest_at=stage_step if improved else state.lowest_at,
        next_normalized_loss=next_loss,
        patches=state.patches + patches,
        trained=tuple(
            seen_of + (patches if number == state.planned[state.stage] else 0)
            for number, seen_of in enumerate(state.trained)
        ),
    )


def _relative(state: ControllerState, seen: Observation) -> tuple[float, float]:
    """Returns probe distance and effective rank, relative to what is healthy."""
    distance = seen.probe.pair_distance / state.healthy_distance
    return distance, seen.probe.effective_rank / state.start.effective_rank


def _growth(state: ControllerState, seen: Observation) -> float:
    return seen.probe.pair_distance / max(state.start.pair_distance, 1e-12)


def _is_good(state: ControllerState, seen: Observation) -> bool:
    if state.grown and seen.normalized_loss >= collapse.LEARNING_LOSS:
        return False  # on trial: a fall that begins must not become what is returned to
    distance, rank = _relative(state, seen)
    return collapse.is_good(distance, _growth(state, seen), rank, seen.normalized_loss)


def _moved_on(
    state: ControllerState, seen: Observation, settings: ControllerConfig
) -> tuple[ControllerState, list[Decision]]:
    """Promotes, inserts an intermediate stage, or ends the run, when it is time."""
    stage, following = state.current, state.following
    used_up = state.stage_step >= stage.max_steps
    if following is None:
        if not used_up:
            return state, []
        decision = _decision(state, "finish", "the last stage has had its steps", {})
        return replace(state, ended=decision.reason), [decision]
    if state.stage_step < stage.min_steps or not (settings.enabled or used_up):
        return state, []
    values = {"smoothed_normalized_loss": state.smoothed or 0.0}
    if state.next_normalized_loss is not None:
        values["next_normalized_loss"] = state.next_normalized_loss
    earned = _earned_promotion(state, seen, settings)
    plateau = state.stage_step - state.lowest_at >= settings.plateau_steps
    if not (earned or plateau or used_up):
        return state, []
    if state.rollbacks and not earned:
        return _retried(state, seen, settings, values) if used_up else (state, [])
    too_big = (state.next_normalized_loss or 0.0) > _TOO_BIG_A_STEP
    if too_big and not earned and settings.enabled and state.inserted < _MAX_INSERTED:
        plan = with_intermediate(state.plan, state.stage, state.multiple)
        if plan is not None:
            state = replace(state, inserted=state.inserted + 1)
            return _inserted(state, plan, "the next stage is too big a step", values)
    reason = earned or ("plateau of the smoothed loss" if plateau else "maximum steps reached")
    decision = _decision(state, "promote", reason, values)
    if state.rollbacks:
        state = replace(state, plan=handed_on(state.plan, state.stage, state.stage_step))
    return _entered(state, state.stage + 1), [decision]


def _retried(
    state: ControllerState,
    seen: Observation,
    settings: ControllerConfig,
    values: dict[str, float],
) -> tuple[ControllerState, list[Decision]]:
    """Grows again after a rollback, in a smaller step; where that is hopeless, goes on."""
    state = replace(state, grown=False)  # a try that has had its steps is one no more
    again = state.rollbacks <= min(_MAX_RETRIES, settings.max_rollbacks - 1)
    plan = lengthened(state.plan, state.stage)
    lasts = not state.lengthened and len(plan) == len(state.plan)
    smaller = with_intermediate(state.plan, state.stage, state.multiple)
    hopeless = smaller is None and (state.next_normalized_loss or 0.0) > _TOO_BIG_A_STEP
    if lasts or hopeless or not again or not _is_good(state, seen):
        decision = _decision(state, "lengthen", "the next stage is still too hard", values)
        planned = state.planned
        if len(plan) < len(planned):
            planned = (*planned[: state.stage + 1], *planned[state.stage + 2 :])
        return replace(state, plan=plan, planned=planned, lengthened=True), [decision]
    if smaller is not None:
        state, decisions = _inserted(
            state, smaller, "growth is tried again in a smaller step", values
        )
        return replace(state, grown=True), decisions
    decision = _decision(state, "promote", "growth is tried again", values)
    return replace(_entered(state, state.stage + 1), grown=True), [decision]


def _inserted(
    state: ControllerState, plan: tuple[StageConfig, ...], why: str, values: dict[str, float]
) -> tuple[ControllerState, list[Decision]]:
    """Enters a stage that the plan has after the present one now."""
    decision = _decision(state, "insert", why, values)
    planned = (*state.planned[: state.stage + 1], ADDED, *state.planned[state.stage + 1 :])
    state = replace(state, plan=plan, planned=planned)
    return _entered(state, state.stage + 1), [decision]


def _earned_promotion(state: ControllerState, seen: Observation, settings: ControllerConfig) -> str:
    """Returns why loss and spread allow the next stage, or nothing."""
    if not settings.enabled or not _is_good(state, seen):
        return ""
    below = state.current.promote_below
    if below is not None and state.smoothed is not None and state.smoothed < below:
        return "the smoothed loss is below its share of the collapse point"
    if (
        seen.next_normalized_loss is not None
        and seen.next_normalized_loss < settings.promote_probe_below
    ):
        return "the next stage's probe batch loses less than the collapse point"
    return ""


def _collapsed(
    state: ControllerState, settings: ControllerConfig, why: str, values: dict[str, float]
) -> tuple[ControllerState, tuple[Decision, ...]]:
    """Rolls back to the last good state with an easier plan, or gives up."""
    state = replace(state, trained=state.kept)
    if not settings.enabled or state.rollbacks >= settings.max_rollbacks:
        tries = f" after {state.rollbacks} rollbacks" if settings.enabled else ""
        decision = _decision(state, "give_up", why + tries, values)
        return replace(state, ended=f"gave up: {decision.reason}"), (decision,)
    decision = _decision(state, "rollback", why, values)
    state = replace(state, rollbacks=state.rollbacks + 1)
    collapsed = state.stage, state.stage_step
    plan = easier_plan(state.plan, *collapsed, _RATE_DROP, state.multiple, state.grown)
    if plan is None:
        end = _decision(state, "finish", f"{why} in the last steps of the plan", {})
        return replace(state, ended=end.reason), (decision, end)
    planned = state.planned
    if len(plan) > len(planned):
        planned = (*planned[: state.stage], ADDED, *planned[state.stage :])
    easier = state.easier or len(plan) > len(state.plan)
    state = replace(_entered(state, state.stage), plan=plan, planned=planned)
    return replace(state, easier=easier), (decision,)


def _entered(state: ControllerState, stage: int) -> ControllerState:
    """Starts a stage."""
    return replace(
        state,
        stage=stage,
        entered=state.entered + 1,
        easier=False,
        lengthened=False,
        grown=False,
        stage_step=0,
        smoothed=None,
        lowest=math.inf,  # so that the first observation sets `lowest_at`
        suspicious=0,
        distance=math.inf,
        next_normalized_loss=None,
        speed_mark=None,
    )


def _within_budget(
    state: ControllerState, seen: Observation, settings: ControllerConfig
) -> tuple[ControllerState, list[Decision]]:
    """Shortens the stage when it would take more than its share of the processor time left."""
    if settings.max_cpu_minutes is None or seen.cpu_seconds is None:
        return state, []
    if state.speed_mark is None:
        return replace(state, speed_mark=(seen.cpu_seconds, state.stage_step)), []
    coming, budget = state.plan[state.stage :], settings.max_cpu_minutes * 60
    short = shortage(coming, state.stage_step, state.speed_mark, seen.cpu_seconds, budget)
    if short is None:
        return state, []
    stage, plan = state.current, list(state.plan)
    update = {"max_steps": short.steps, "min_steps": min(stage.min_steps, short.steps)}
    plan[state.stage] = stage.model_copy(update=update)
    values = {"needed_seconds": short.needed, "available_seconds": short.available}
    decision = _decision(
        state, "shorten", "the processor time left is too short for the stage", values
    )
    return replace(state, plan=tuple(plan)), [decision]


def _decision(
    state: ControllerState, kind: Kind, reason: str, values: dict[str, float]
) -> Decision:
    return Decision(kind, state.step, state.stage, reason, values)

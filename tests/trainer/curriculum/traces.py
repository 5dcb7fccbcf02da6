"""Invented observations of a run, for the controller."""

import dataclasses

from trainer.core.config import ControllerConfig, StageConfig
from trainer.curriculum.probe import ProbeSignals
from trainer.curriculum.stages import ControllerState, Observation, observe

HEALTHY = ProbeSignals(1.4, 1.2, 0.9, 40.0, 4.0, 0.8)
SETTINGS = ControllerConfig(smoothing=0.5, patience=2, plateau_steps=100, max_rollbacks=2)
HARD = StageConfig(
    points_per_batch=64, patches_per_point=8, learning_rate=0.01, min_steps=20, max_steps=100
)
EASY = HARD.model_copy(
    update={
        "points_per_batch": 16, "patches_per_point": 2, "max_steps": 200, "promote_below": 0.8,
    }
)  # fmt: skip
HUGE = HARD.model_copy(update={"points_per_batch": 1024, "patches_per_point": 16})


def state_of(*plan: StageConfig, **changes) -> ControllerState:
    return ControllerState(plan or (EASY, HARD), HEALTHY, healthy_distance=1.4, **changes)


def observed(
    normalized_loss: float, *, steps: int = 10, distance: float = 1.0, **changes
) -> Observation:
    """An observation; `distance` is relative to the start."""
    probe = dataclasses.replace(
        HEALTHY, pair_distance=1.4 * distance, normalized_loss=normalized_loss
    )
    probe = dataclasses.replace(probe, **changes.pop("probe", {}))
    return Observation(
        steps=steps, loss=normalized_loss, normalized_loss=normalized_loss, probe=probe, **changes
    )


def kinds_of(decisions) -> list[str]:
    return [decision.kind for decision in decisions]


def fed(state, observations, settings=SETTINGS):
    """Feeds observations; returns the state and all decisions but `good`."""
    made = []
    for seen in observations:
        state, decisions = observe(state, seen, settings)
        made += [decision for decision in decisions if decision.kind != "good"]
    return state, made

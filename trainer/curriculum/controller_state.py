"""What the controller sees, knows and decides (`trainer.curriculum.stages`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from trainer.core.config import StageConfig
from trainer.curriculum.probe import ProbeSignals

ADDED = -1  # number of a stage that the given plan does not have

Kind = Literal[
    "good", "promote", "insert", "lengthen", "shorten", "suspect", "rollback", "give_up", "finish"
]


@dataclass(frozen=True)
class Observation:
    """What was seen over the last steps.

    Attributes:
        steps: Number of steps since the last observation.
        loss: Mean loss over these steps.
        normalized_loss: Mean triplet loss, 0 at its floor and 1 at the collapse point
            (`Loss.normalized`).
        probe: Signals of the probe batch after these steps.
        next_normalized_loss: Normalized loss on a probe batch of the next stage's shape, or None
            when it was not measured (`wants_next_probe`).
        cpu_seconds: Processor time of the run so far, or None.
    """

    steps: int
    loss: float
    normalized_loss: float
    probe: ProbeSignals
    next_normalized_loss: float | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class Decision:
    """One decision, as it goes to the timeline.

    Attributes:
        kind: Kind of decision. `good` calls the present state good (take a snapshot of it);
            `rollback` asks for the last good state back.
        step: Steps of the run so far.
        stage: Stage it concerns, from 0.
        reason: Reason for people to read.
        values: Numbers that the decision rests on.
    """

    kind: Kind
    step: int
    stage: int
    reason: str
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ControllerState:
    """All that the controller knows between two observations.

    Attributes:
        plan: Stages, as changed by rollbacks and insertions.
        start: Signals before the first step.
        healthy_distance: Mean distance of random pairs that those of probes are relative to
            (`trainer.curriculum.collapse.healthy_distance`).
        multiple: S of an inserted stage is a multiple of it (the replicas).
        stage: Present stage, from 0.
        step: Steps of the run so far, those before rollbacks included.
        stage_step: Steps of the present stage.
        smoothed: Running mean of the normalized loss.
        lowest: Lowest running mean of the stage.
        lowest_at: Stage step of `lowest`.
        suspicious: Observations with the signs of an onset since the last one without, less
            those of a distance that grows again, as in the first steps of healthy runs.
        next_normalized_loss: Normalized loss on the next stage's probe when last measured.
        distance: Relative probe distance at the last observation of the stage.
        rollbacks: Rollbacks so far.
        easier: Whether the present stage has been made easier by a rollback.
        lengthened: Whether the present stage has been lengthened.
        grown: Whether the present stage is a try to grow again after a rollback.
        inserted: Intermediate stages inserted for promotions so far.
        patches: Patches seen so far.
        planned: Number in the given plan of each stage of `plan`; -1 for those added since.
        trained: Patches of each stage of the given plan that the weights have learned from: what
            a rollback threw away does not count.
        kept: `trained` of the last good state.
        speed_mark: (processor seconds, stage step) at the first observation of the stage.
        entered: Stages entered so far; tells whether an observation led into another one.
        ended: Reason for the end of the run; empty while it goes on.
    """

    plan: tuple[StageConfig, ...]
    start: ProbeSignals
    healthy_distance: float
    multiple: int = 1
    stage: int = 0
    step: int = 0
    stage_step: int = 0
    smoothed: float | None = None
    lowest: float = math.inf
    lowest_at: int = 0
    suspicious: int = 0
    distance: float = math.inf
    next_normalized_loss: float | None = None
    rollbacks: int = 0
    easier: bool = False
    lengthened: bool = False
    grown: bool = False
    inserted: int = 0
    patches: int = 0
    speed_mark: tuple[float, int] | None = None
    entered: int = 1
    ended: str = ""
    planned: tuple[int, ...] = ()
    trained: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.planned:  # the plan as it was given
            object.__setattr__(self, "planned", tuple(range(len(self.plan))))
            object.__setattr__(self, "trained", (0,) * len(self.plan))
            object.__setattr__(self, "kept", self.trained)

    @property
    def current(self) -> StageConfig:
        """The present stage."""
        return self.plan[self.stage]

    @property
    def following(self) -> StageConfig | None:
        """The next stage, if there is one."""
        return self.plan[self.stage + 1] if self.stage + 1 < len(self.plan) else None

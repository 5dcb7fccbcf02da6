"""What a run keeps between two observations, and its form in a checkpoint."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from trainer.curriculum.stages import ControllerState
from trainer.data.batches import SamplerState
from trainer.engine.checkpoints import Checkpoint
from trainer.engine.learner import Snapshot

_CONTROLLER = TypeAdapter(ControllerState)


@dataclass(frozen=True)
class Best:
    """The weights that match best on `val` so far, with the mAP for `e`, `h`, `t` and `mean`."""

    step: int
    scores: dict[str, float]
    snapshot: Snapshot


@dataclass
class RunState:
    """Where a run stands; with the learner's weights, all that its future depends on.

    Attributes:
        controller: Plan, stage, counters and signals.
        sampler: Position of the next batch.
        good: Snapshot to roll back to.
        good_at: Step of that snapshot.
        weights_at: Step that the learner's weights are from: the last one, but after a rollback
            or when the run gave up `good_at`.
        best: Best validated weights; None before the first validation.
        validated_at: Step of the last validation.
        shown_at: Step at which the probe batch was last drawn.
        checkpointed_at: Step of the last checkpoint.
        log_dir: TensorBoard folder of the process that saved the state.
        wall_seconds: Wall time in `train` up to the last checkpoint, in seconds.
        cpu_seconds: Processor time of the same span, in seconds.
        stepping_seconds: Seconds spent taking steps so far.
        waited: Seconds of these spent waiting for batches.
    """

    controller: ControllerState
    sampler: SamplerState
    good: Snapshot
    good_at: int = 0
    weights_at: int = 0
    best: Best | None = None
    validated_at: int = 0
    shown_at: int = 0
    checkpointed_at: int = 0
    log_dir: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    stepping_seconds: float = 0.0
    waited: float = 0.0

    def checkpoint(self, learner_snapshot: Snapshot, events: list[dict[str, Any]]) -> Checkpoint:
        """Returns what goes to disk."""
        snapshots = {"learner": learner_snapshot, "good": self.good}
        if self.best:
            snapshots["best"] = self.best.snapshot
        state = {name: getattr(self, name) for name in _PLAIN}
        state |= {
            "controller": _CONTROLLER.dump_python(self.controller, mode="python"),
            "sampler": dataclasses.asdict(self.sampler),
            "best": self.best and {"step": self.best.step, "scores": self.best.scores},
            "events": events,
        }
        return Checkpoint(self.controller.step, snapshots, state)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> RunState:
        """Returns the state that a checkpoint was taken of."""
        state, snapshots = checkpoint.state, checkpoint.snapshots
        controller = _CONTROLLER.validate_python(state["controller"])
        best = state["best"]
        return cls(
            # The speed is measured anew: the functions of the stage are compiled again.
            controller=dataclasses.replace(controller, speed_mark=None),
            sampler=SamplerState(**state["sampler"]),
            good=snapshots["good"],
            best=best and Best(best["step"], best["scores"], snapshots["best"]),
            **{name: state[name] for name in _PLAIN},
        )


_PLAIN = tuple(
    name.name
    for name in dataclasses.fields(RunState)
    if name.name not in ("controller", "sampler", "good", "best")
)


class Clock:
    """Wall and processor time of a run since it was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def add(self, wall: float, cpu: float) -> None:
        """Counts seconds that an earlier process spent on the run, too."""
        self._wall -= wall
        self._cpu -= cpu

    def wall(self) -> float:
        return time.perf_counter() - self._wall

    def cpu(self) -> float:
        return time.process_time() - self._cpu

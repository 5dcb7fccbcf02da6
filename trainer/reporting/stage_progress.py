"""What a training run tells of a stage: how far it is, how long it will take, how it went."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from trainer.core.progress import Progress, duration, send
from trainer.curriculum import stages

_KEPT = 0.95  # of the old measurements at each new one: validations average out
_ENDINGS = {"rollback": "rolled back", "give_up": "gave up"}


@dataclass(frozen=True)
class Pace:
    """How fast patches are trained on, over the last few dozen measurements.

    Attributes:
        patches: Patches of the measurements, old ones counted less.
        seconds: Time of the measurements, weighted likewise.
    """

    patches: float = 0.0
    seconds: float = 0.0

    def after(self, patches: int, seconds: float) -> Pace:
        """Returns the pace after one more measurement."""
        return Pace(_KEPT * self.patches + patches, _KEPT * self.seconds + seconds)

    def seconds_for(self, patches: int) -> float | None:
        """Returns how long some patches will take; None before the first measurement."""
        return patches * self.seconds / self.patches if self.patches else None


def patches_left(state: stages.ControllerState, steps: int = 0) -> tuple[int, int]:
    """Returns the patches to come in the present stage, and in it and all later ones.

    At most: a stage that earns its promotion ends before its last step.
    """
    stage = state.current
    here = max(0, stage.max_steps - state.stage_step - steps) * stage.batch
    later = sum(coming.max_steps * coming.batch for coming in state.plan[state.stage + 1 :])
    return here, here + later


class StageProgress:
    """Reports the stages of a run to whoever listens (`trainer.core.progress`).

    Args:
        clock: Seconds from some moment on.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._pace = Pace()
        self._entered = self._told = clock()
        self._first = True
        self._score: float | None = None
        self._last: tuple[str, int, float] = ("", 0, 0.0)

    def enter(self) -> None:
        """Takes note that a stage begins."""
        self._entered = self._told = self._clock()
        self._first = True
        self._score = None

    def validated(self, score: float) -> None:
        """Takes note of matching mAP on `val`, 0..1."""
        self._score = score

    def tell(self, state: stages.ControllerState, seen: stages.Observation) -> None:
        """Gives one sign of life, except at the end of a stage, which `leave` tells."""
        stage = state.current
        now = self._clock()
        if not self._first:  # the first steps of a stage wait for their function to be compiled
            self._pace = self._pace.after(seen.steps * stage.batch, now - self._told)
        self._first, self._told = False, now
        label = (
            f"training stage {state.stage + 1} of {len(state.plan)} "
            f"(S {stage.points_per_batch}, K {stage.patches_per_point})"
        )
        done = state.stage_step + seen.steps
        self._last = (label, done, seen.loss)
        if done >= stage.max_steps:
            return
        here, in_all = (self._pace.seconds_for(count) for count in patches_left(state, seen.steps))
        detail = self._numbers(seen.loss)
        if self._pace.patches:
            detail += f", {self._pace.patches / max(self._pace.seconds, 1e-9):,.0f} patches/s"
        send(Progress(label, done, stage.max_steps, detail, here, in_all))

    def leave(self, decisions: tuple[stages.Decision, ...]) -> None:
        """Sums up a stage that is over."""
        label, done, loss = self._last
        detail = f"{self._numbers(loss)}, took {duration(self._clock() - self._entered)}"
        ending = _ENDINGS.get(decisions[-1].kind if decisions else "")
        if ending:
            detail += f", {ending}"
        send(Progress(label, done, done, detail, finished=True))

    def _numbers(self, loss: float) -> str:
        score = "" if self._score is None else f", val mAP {self._score:.3f}"
        return f"loss {loss:.3f}{score}"

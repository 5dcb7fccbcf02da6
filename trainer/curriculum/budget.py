"""How many steps of a stage the processor time of a run allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.core.config import StageConfig

_SECONDS_TO_EXPORT = 8.0  # of processor time, kept for what follows the last step
_MEASURED_STEPS = 20  # before the speed is judged
_MARGIN = 0.95  # of the steps there is time for; or the stage would be shortened again and again


@dataclass(frozen=True)
class Shortage:
    """A stage for which the processor time does not suffice.

    Attributes:
        steps: Steps of the stage to end with, those taken included.
        needed: Processor seconds that the rest of the stage would take.
        available: Processor seconds that the stage may take of those left.
    """

    steps: int
    needed: float
    available: float


def shortage(
    plan: Sequence[StageConfig],
    taken: int,
    mark: tuple[float, int],
    seconds: float,
    budget: float,
) -> Shortage | None:
    """Tells whether a stage would take more than its share of the processor time left.

    The share is that of its patches among all to come; the speed is the stage's own, measured
    from its first observation on, when its function has been compiled.

    Args:
        plan: The stage and those after it.
        taken: Steps of the stage so far.
        mark: Processor seconds of the run and steps of the stage at its first observation.
        seconds: Processor seconds of the run so far.
        budget: Processor seconds that the run may take.

    Returns:
        None when the time will do, or when too few steps have been measured.

    Example:
        >>> stage = StageConfig(max_steps=120)
        >>> shortage([stage], 20, (0.0, 0), 20.0, 78.0)  # a second each: 50 are left for 100
        Shortage(steps=67, needed=100.0, available=50.0)
    """
    stage, later = plan[0], sum(coming.max_steps * coming.batch for coming in plan[1:])
    began, at = mark
    measured, left = taken - at, stage.max_steps - taken
    if measured < _MEASURED_STEPS or left <= 0:
        return None
    share = left * stage.batch / (left * stage.batch + later)
    available = max(0.0, (budget - seconds - _SECONDS_TO_EXPORT) * share)
    needed = left * (seconds - began) / measured
    if needed <= available:
        return None
    return Shortage(taken + int(_MARGIN * left * available / needed), needed, available)

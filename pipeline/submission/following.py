"""Following a run to its end: what every platform tells of one, and what is shown of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from pipeline.events import Event
from trainer.core.errors import UserError

if TYPE_CHECKING:
    from pipeline.terminal.run_view import RunView

Outcome = Literal["succeeded", "failed", "cancelled"]
WAITING = "waiting"


@dataclasses.dataclass(frozen=True)
class TaskState:
    """How far a task is.

    Attributes:
        name: Name of the task.
        kind: `waiting`, `started`, `cached`, `finished`, `failed`, or in words how else it ended.
        seconds: How long it took; 0 while that is not known.
        message: Why it failed, as far as the platform knows.
        without_capacity: Whether it failed because there was no quota or no machine.
    """

    name: str
    kind: str
    seconds: float = 0.0
    message: str = ""
    without_capacity: bool = False


@dataclasses.dataclass(frozen=True)
class RunState:
    """How far a run is.

    Attributes:
        words: State in words.
        outcome: How it ended; None while it goes on.
        tasks: Those that the platform tells of.
        message: Why it ended, as far as the platform knows.
        without_capacity: Whether it failed because there was no quota or no machine.
    """

    words: str
    outcome: Outcome | None = None
    tasks: tuple[TaskState, ...] = ()
    message: str = ""
    without_capacity: bool = False


@dataclasses.dataclass(frozen=True)
class Started:
    """A run that a platform has taken.

    Attributes:
        name: Name of the run on the platform.
        address: Page of the run.
        look: Asks the platform how far it is.
        again: What to do on its page to go on with it.
    """

    name: str
    address: str
    look: Callable[[], RunState]
    again: str = "submit it again: tasks that were finished are taken from the cache"


def follow(
    started: Started, order: Sequence[str], view: RunView, pause: Callable[[], None]
) -> RunState:
    """Looks at a run until it ends, and returns it, however that was.

    Raises:
        UserError: When the platform does not tell of the run any more.
    """
    shown: dict[str, str] = {}
    said = ""
    while True:
        run = started.look()
        kinds = {task.name: task for task in run.tasks if task.kind != WAITING}
        for number, name in enumerate(order, start=1):
            if name in kinds and shown.get(name) != kinds[name].kind:
                task = kinds[name]
                shown[name] = task.kind
                view.on_event(Event(task.kind, name, number, len(order), task.seconds))
        if not shown and run.words != said:
            said = run.words
            view.say(f"the run is {said}")
        if run.outcome is not None:
            return run
        pause()


def conclude(ended: RunState, started: Started) -> None:
    """Refuses to call a run good that was not.

    Raises:
        UserError: When it failed or was cancelled: why, and what to do.
    """
    if ended.outcome == "succeeded":
        return
    page, again = started.address, started.again
    if ended.outcome == "cancelled":
        said = f" ({ended.message})" if ended.message else ""
        raise UserError(
            f"the run {started.name} was cancelled{said}; see {page}; to go on, {again}"
        )
    failed = [task for task in ended.tasks if task.kind == "failed"]
    where = f" in {', '.join(task.name for task in failed)}" if failed else ""
    message = next((task.message for task in failed if task.message), ended.message)
    said = f" ({message})" if message else ""
    if ended.without_capacity or any(task.without_capacity for task in failed):
        raise UserError(
            f"the run {started.name} failed{where} for want of quota or capacity{said}; ask for "
            f"quota, choose a smaller machine or another region, or wait; see {page} and {again}"
        )
    reason = "the task's log says more" if message else "the last lines of its log say why"
    if not failed:
        reason = "its page says why"
    raise UserError(
        f"the run {started.name} failed{where}{said}; {reason}: {page}; put that right and {again}"
    )

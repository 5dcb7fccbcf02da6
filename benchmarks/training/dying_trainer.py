"""`python -m trainer` again and again, killed with SIGKILL at chosen moments.

python -m benchmarks.training.dying_trainer '[["steps", 3], ["nowhere", 0]]' --config FILE ...

Every run is a process of its own. They are forked from one that has imported TensorFlow,
which takes longer than all else here, but has not used it yet.
"""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from trainer import __main__ as command
from trainer.engine import checkpoints, learner, run
from trainer.model import export

_LONGEST_WAIT = 0.05  # seconds; about what a block of steps takes


class Death:
    """Counts the occurrences of a place and ends the process at one of them.

    Args:
        number: At which one, from 1.
    """

    def __init__(self, number: int) -> None:
        self._left = number

    def is_due(self) -> bool:
        """Counts one more."""
        self._left -= 1
        return self._left == 0


def die() -> None:
    """Ends the process without any chance to tidy up."""
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: Any, name: str, last: Callable[..., None]) -> None:
    """Has something done before each call of a function."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        last(*arguments)
        return original(*arguments, **options)

    setattr(owner, name, wrapped)


def in_steps(death: Death) -> None:
    """Dies at some moment of a block of steps, or just after it."""

    def wait_and_die() -> None:
        time.sleep(random.Random(os.getpid()).uniform(0, _LONGEST_WAIT))
        die()

    def last(*_: Any) -> None:
        if death.is_due():
            threading.Thread(target=wait_and_die, daemon=True).start()

    _before(learner.Learner, "train", last)


def in_checkpoint(death: Death) -> None:
    """Dies in the middle of a file, or before a folder is renamed or removed."""

    def half_a_file(path: str, data: bytes) -> None:
        if death.is_due():
            with tf.io.gfile.GFile(path, "wb") as file:
                file.write(data[: len(data) // 2])
            die()

    def last(*_: Any) -> None:
        if death.is_due():
            die()

    _before(checkpoints, "_write", half_a_file)
    _before(checkpoints, "replace_folder", last)
    _before(checkpoints.CheckpointStore, "_remove", last)


def in_stage_change(death: Death) -> None:
    """Dies when a stage is over, before its checkpoint or between that and the next stage."""

    def last(self: run.Run, state: Any, *_: Any) -> None:
        del self
        if state.controller.step and state.controller.stage_step == 0 and death.is_due():
            die()

    _before(run.Run, "_validate_when_due", last)
    _before(run.Run, "_enter", last)


def in_export(death: Death) -> None:
    """Dies before the SavedModel gets its final name."""

    def last(*_: Any) -> None:
        if death.is_due():
            die()

    _before(export, "replace_folder", last)


def in_finish(death: Death) -> None:
    """Dies when the result is written and the checkpoints are not deleted yet."""

    def last(*_: Any) -> None:
        if death.is_due():
            die()

    _before(checkpoints.CheckpointStore, "clear", last)


_PLACES: dict[str, Callable[[Death], None]] = {
    "steps": in_steps,
    "checkpoint": in_checkpoint,
    "stage": in_stage_change,
    "export": in_export,
    "finish": in_finish,
    "nowhere": lambda death: None,
}


def status_of_child(place: str, number: int, arguments: list[str]) -> int:
    """Runs the command in a child process; returns its exit status, or minus the signal."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    status = 1
    try:
        _PLACES[place](Death(number))
        status = command.main(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main() -> None:
    """Runs the command once for each place to die at, and prints how each process ended."""
    deaths, arguments = json.loads(sys.argv[1]), sys.argv[2:]
    report = [status_of_child(place, number, arguments) for place, number in deaths]
    print(json.dumps(report))


if __name__ == "__main__":
    main()

"""The processes that train one network together, one on each host, and what they agree on.

All of them run the same program on the same batches, and every one does each collective
operation in its turn: a decision that rests on a clock, a disk or a signal would part them.
Such decisions are the chief's (or, of signals, anybody's), and are told to the others by
the same collectives that sum the gradients. The chief alone writes.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.core.errors import UserError
from trainer.core.interruption import Interrupted

# What the collectives of those that are left end with when a process is gone.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)
_TASK = re.compile(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)")


class Hosts:
    """The processes of a run; a single one agrees with itself at no cost.

    Args:
        placement: Strategy of the run.

    Attributes:
        count: Number of processes.
        is_chief: Whether this is the one that writes.
    """

    def __init__(self, placement: tf.distribute.Strategy) -> None:
        self.count, self.is_chief = 1, True
        self._placement = placement
        if isinstance(placement, tf.distribute.MultiWorkerMirroredStrategy):
            resolver = placement.cluster_resolver
            jobs = resolver.cluster_spec().as_dict()
            self.count = sum(len(jobs.get(job, ())) for job in ("chief", "worker"))
            first = "chief" if "chief" in jobs else "worker"
            self.is_chief = (resolver.task_type, resolver.task_id) == (first, 0)

    def from_chief(self, value: Any) -> Any:
        """Returns the chief's value, whatever this process gave.

        Args:
            value: JSON; NaN and infinity may be among it.
        """
        if self.count == 1:
            return value
        data = np.frombuffer(json.dumps(value).encode(), np.uint8)
        length = int(self._sum(np.array([len(data) if self.is_chief else 0]))[0])
        mine = data if self.is_chief else np.zeros(length, np.uint8)
        return json.loads(self._sum(mine).astype(np.uint8).tobytes())

    def check_same(self, run: str) -> None:
        """Refuses a process that would train something else.

        Args:
            run: Hash of the data, the settings and the code.

        Raises:
            UserError: When it is not the chief's.
        """
        if self.from_chief(run) != run:
            raise UserError(
                "this host has other data, settings or code than the chief of the run, expected "
                "the same command, files and version on all hosts"
            )

    def on_chief(self, do: Callable[[], Any]) -> Any:
        """Has the chief do something while the others wait; returns its result everywhere.

        Args:
            do: Returns JSON.

        Raises:
            UserError: Everywhere, when the chief's `do` raises one.
        """
        if self.count == 1:
            return do()
        outcome, mistake = None, None
        if self.is_chief:
            try:
                outcome = do()
            except UserError as error:
                mistake = str(error)
        outcome, mistake = self.from_chief([outcome, mistake])
        if mistake is not None:
            raise UserError(mistake)
        return outcome

    def any_signal(self, mine: signal.Signals | None) -> signal.Signals | None:
        """Returns this process's signal, or SIGTERM when another one was told to stop."""
        if self.count == 1:
            return mine
        asked = self._sum(np.array([mine is not None]))[0] > 0
        return (mine or signal.SIGTERM) if asked else None

    @contextlib.contextmanager
    def loss_told(self) -> Iterator[None]:
        """Says in one sentence that another process is gone.

        Raises:
            Interrupted: In place of what a collective raises then: this process is to be
                started again with all others.
        """
        try:
            yield
        except _LOST as error:
            named = _TASK.search(str(error))
            if self.count == 1 or (isinstance(error, tf.errors.InternalError) and not named):
                raise
            which = f" ({named[1]} {named[2]} of TF_CONFIG)" if named else ""
            raise Interrupted(
                f"another of the run's {self.count} processes is gone{which}; start all of them "
                f"again, and they go on from the last checkpoint",
                signal.SIGHUP,
            ) from error

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """Returns the sum over the processes of small whole numbers [n]."""
        here, others = values.astype(np.float32), np.zeros(len(values), np.float32)
        first = [True]

        def of_replica(_context: tf.distribute.ValueContext) -> tf.Tensor:
            mine, first[0] = here if first[0] else others, False
            return tf.constant(mine)

        given = self._placement.experimental_distribute_values_from_function(of_replica)
        return self._placement.reduce("SUM", given, axis=None).numpy()

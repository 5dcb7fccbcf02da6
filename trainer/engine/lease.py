"""A lease on a job's time: whoever waits for a run renews it, and without it the run stops.

A job on a machine of its own would go on and be paid for when the pipeline that it serves is
cancelled, or its cluster is gone. Each that waits keeps a file in a folder that the job reaches,
too, and writes it again every minute; a job for which nobody has done so for `SECONDS`
saves itself and stops. Ages are told by the clock of the folder's store alone.
"""

from __future__ import annotations

import contextlib
import posixpath
import threading
import uuid
from collections.abc import Callable, Iterator

SECONDS = 900.0
"""A run that nobody has waited for so long stops."""

EVERY = 60.0
"""Between two renewals, and between two looks."""

_LOOK = "looked-at"
_SECONDS_TO_END = 1.0  # for what is under way when the context closes


class Lease:
    """One that waits for a run.

    Attributes:
        is_shared: Whether somebody else waited for the run, too, at the last renewal.
    """

    def __init__(self, folder: str) -> None:
        """Takes the folder of the run's leases; it is made when it is not there."""
        self.is_shared = False
        self._folder = folder
        self._name = uuid.uuid4().hex

    def renew(self) -> None:
        """Says that the run is still waited for."""
        _write(self._folder, self._name)
        ages = _ages(self._folder)
        self.is_shared = any(age <= SECONDS for name, age in ages.items() if name != self._name)

    def end(self) -> None:
        """Says that it is not; what goes wrong with that, the lease's age puts right."""
        import tensorflow as tf

        with contextlib.suppress(OSError, tf.errors.OpError):
            tf.io.gfile.remove(posixpath.join(self._folder, self._name))


@contextlib.contextmanager
def held(folder: str, every: float = EVERY) -> Iterator[Lease]:
    """Keeps a lease while the context is open."""
    lease = Lease(folder)
    lease.renew()
    with _repeatedly(lease.renew, every):
        try:
            yield lease
        finally:
            lease.end()


@contextlib.contextmanager
def watched(
    folder: str | None,
    when_lost: Callable[[], None],
    seconds: float = SECONDS,
    every: float = EVERY,
) -> Iterator[None]:
    """Looks at a run's leases, in a thread, while the context is open.

    Args:
        folder: Folder of the leases; None: there are none, and nothing is lost.
        when_lost: Called once, when nobody waits for the run any more.
        seconds: Age from which on a lease counts as lost.
        every: Between two looks.
    """
    if folder is None:
        yield
        return
    told = threading.Event()

    def look() -> None:
        if not told.is_set() and all(age > seconds for age in _ages(folder).values()):
            told.set()
            when_lost()

    with _repeatedly(look, every):
        yield


@contextlib.contextmanager
def _repeatedly(do: Callable[[], None], every: float) -> Iterator[None]:
    """Does something in a thread now and then; a store that does not answer is asked again."""
    import tensorflow as tf

    over = threading.Event()

    def go_on() -> None:
        while not over.wait(every):
            with contextlib.suppress(OSError, tf.errors.OpError):
                do()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_SECONDS_TO_END)


def _write(folder: str, name: str) -> None:
    import tensorflow as tf

    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(posixpath.join(folder, name), "w") as file:
        file.write(name)


def _ages(folder: str) -> dict[str, float]:
    """Returns the age of every lease in seconds, by the clock of the store."""
    import tensorflow as tf

    _write(folder, _LOOK)
    times = {}
    for name in tf.io.gfile.listdir(folder):
        with contextlib.suppress(tf.errors.NotFoundError):  # given back meanwhile
            times[name] = tf.io.gfile.stat(posixpath.join(folder, name)).mtime_nsec / 1e9
    now = times.pop(_LOOK)
    return {name: now - time for name, time in times.items()}

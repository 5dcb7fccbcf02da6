"""SIGTERM and Ctrl-C while a run takes its steps: it finishes those at hand and saves itself.

Whoever takes a machine back (a preempted cloud machine, a cluster's scheduler) sends
SIGTERM some seconds before SIGKILL.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(KeyboardInterrupt):
    """A run ended on a signal, after the steps at hand.

    Like Ctrl-C it is no failure: nothing is wrong with the data, the settings or the code.

    Attributes:
        signal: Signal that asked the process to end.
    """

    def __init__(self, message: str, number: signal.Signals) -> None:
        super().__init__(message)
        self.signal = number

    @property
    def exit_status(self) -> int:
        """What a shell expects of a command that ended on this signal, e.g. 143 for SIGTERM."""
        return 128 + self.signal


@dataclass
class StopRequest:
    """Whether somebody wants the run to end.

    Attributes:
        signal: The signal that said so; None while none did.
    """

    signal: signal.Signals | None = None


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Notes SIGTERM and SIGINT while the context is open, instead of dying of them.

    A second signal of the same kind does what it would have done without. Signals that are
    ignored (`nohup`) stay so. Outside the main thread Python hears no signals, and nothing
    changes.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    earlier = {number: signal.getsignal(number) for number in _SIGNALS}
    heard = [number for number in _SIGNALS if earlier[number] not in (signal.SIG_IGN, None)]

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        request.signal = signal.Signals(number)
        signal.signal(number, earlier[request.signal])

    for number in heard:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number in heard:
            signal.signal(number, earlier[number])


@contextlib.contextmanager
def unwrapped(swallowed: bool = True) -> Iterator[None]:
    """Raises `KeyboardInterrupt` for Ctrl-C, whatever a library has made of it.

    Beam's workers hand it over as a RuntimeError, an import that it breaks as an ImportError,
    and some imports go on without a word. Outside the main thread Python hears no signals, and
    nothing changes.

    Args:
        swallowed: Raise it at the end, too, when nothing else did.
    """
    earlier = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(earlier):
        yield
        return
    heard = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        heard = True
        earlier(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    except Exception as error:
        if heard:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, earlier)
    if heard and swallowed:
        raise KeyboardInterrupt

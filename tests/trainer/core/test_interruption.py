"""Signals that ask a run to end."""

import contextlib
import os
import signal
import threading

import pytest

from trainer.core.interruption import Interrupted, stop_requests, unwrapped


@pytest.fixture
def handlers():
    """Handlers that only note what they hear."""
    heard: list[int] = []
    earlier = {
        number: signal.signal(number, lambda number, _: heard.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    yield heard
    for number, handler in earlier.items():
        signal.signal(number, handler)


def _send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    # Python runs handlers between two instructions, which these are.
    for _ in range(10):
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_a_request_and_the_second_acts_as_ever(handlers, number):
    with stop_requests() as request:
        assert request.signal is None
        _send(number)
        assert request.signal is number
        assert handlers == []
        _send(number)
        assert handlers == [number]
    _send(number)
    assert handlers == [number, number]


def test_ctrl_c_raises_again_afterwards():
    with stop_requests():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_ignored_stays_ignored(handlers):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stop_requests() as request:
        _send(signal.SIGINT)
        assert request.signal is None
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_change_no_handler(handlers):
    seen = []

    def look() -> None:
        with stop_requests() as request:
            seen.append((request.signal, signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [(None, before)]


def test_an_interruption_counts_as_ctrl_c_and_knows_its_status():
    stop = Interrupted("stopped at step 3", signal.SIGTERM)
    assert isinstance(stop, KeyboardInterrupt)
    assert str(stop) == "stopped at step 3"
    assert stop.exit_status == 143
    assert Interrupted("", signal.SIGINT).exit_status == 130


def test_ctrl_c_is_itself_whatever_a_library_makes_of_it():
    with pytest.raises(KeyboardInterrupt), unwrapped():
        try:
            _send(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("KeyboardInterrupt [while running 'Cut']") from None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_that_a_library_swallows_is_raised_at_the_end_or_taken_for_an_answer():
    with pytest.raises(KeyboardInterrupt), unwrapped(), contextlib.suppress(KeyboardInterrupt):
        _send(signal.SIGINT)
    with unwrapped(swallowed=False), contextlib.suppress(KeyboardInterrupt):
        _send(signal.SIGINT)


def test_an_error_without_ctrl_c_stays_as_it_is():
    with pytest.raises(RuntimeError, match="a bug"), unwrapped():
        raise RuntimeError("a bug")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_where_ctrl_c_is_ignored_it_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with unwrapped():
            _send(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)

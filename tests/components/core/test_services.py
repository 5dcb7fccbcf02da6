"""Starting something once at a service that does not always answer."""

import pytest

from components.core.services import start_once


def _start(fails: list[Exception], arrives_after: int = 99) -> tuple[str, int, list[float]]:
    """Starts at a service that fails so; returns how, the calls it took and the pauses."""
    pauses: list[float] = []
    calls = 0

    def start() -> str:
        nonlocal calls
        calls += 1
        if fails:
            raise fails.pop(0)
        return "started"

    def arrived() -> str | None:
        return "arrived" if len(pauses) >= arrives_after else None

    how = start_once(start, arrived, lambda error: isinstance(error, TimeoutError), pauses.append)
    return how, calls, pauses


def test_a_call_is_repeated_at_growing_distances():
    assert _start([TimeoutError(), TimeoutError()]) == ("started", 3, [2.0, 4.0])


def test_what_a_call_without_an_answer_has_started_is_not_started_again():
    assert _start([TimeoutError()] * 9, arrives_after=1) == ("arrived", 1, [2.0])
    assert _start([TimeoutError()] * 9, arrives_after=5)[:2] == ("arrived", 5)


def test_what_does_not_pass_is_raised():
    refusals = [ValueError("refused"), TimeoutError()]
    with pytest.raises(ValueError, match="refused"):
        _start(refusals)
    assert len(refusals) == 1
    away = [TimeoutError("away")] * 9
    with pytest.raises(TimeoutError, match="away"):
        _start(away)
    assert len(away) == 4

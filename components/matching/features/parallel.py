"""Work on many things at once, in order and with a bound on what is ready."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item]
) -> Iterator[Callable[[], _Result]]:
    """Works in as many threads as there are processors (OpenCV and NumPy let others run).

    Args:
        work: What is done.
        items: What it is done to; taken in this thread, not far ahead of what is waited for.

    Yields:
        For each item what waits for its result, or raises what its work raised.
    """
    workers = os.cpu_count() or 1
    pending: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > workers:
                    yield pending.popleft().result
            while pending:
                yield pending.popleft().result
        finally:
            for future in pending:
                future.cancel()

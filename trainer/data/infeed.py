"""Draws the next batches on the host while the device works on the present ones."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from trainer.data.batches import Sampler, SamplerState


class Infeed:
    """Blocks of batches, drawn one block ahead by a thread while the context is open.

    Args:
        sampler: Draws the batches.
        block: Batches in a block.
        rows: Draw the rows of the patches only (`trainer.data.resident_patches`).

    Attributes:
        waited: Seconds that callers of `take` waited in all.
        state: The sampler's state after the blocks taken so far (not those drawn ahead), from
            which another sampler goes on.
    """

    def __init__(self, sampler: Sampler, block: int, *, rows: bool = False) -> None:
        self.waited = 0.0
        self.state = sampler.state
        self._sampler = sampler
        self._block = block
        self._draw_one = sampler.rows if rows else sampler.__next__
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="infeed")
        self._ahead: tuple[int, Future[tuple[np.ndarray, SamplerState]]] | None = None

    def take(self, steps: int, ahead: int) -> np.ndarray:
        """Returns batches for `steps`, zeros after them: uint8 [block, S*K, 32, 32], or their
        rows, int32 [block, S*K].

        Args:
            steps: Batches wanted now, at most the block.
            ahead: Batches that will be wanted next; 0 when nothing more will.
        """
        if self._ahead is None or self._ahead[0] != steps:
            self._restart()
            self._ahead = (steps, self._thread.submit(self._draw, steps))
        started = time.perf_counter()
        batches, state = self._ahead[1].result()
        self.waited += time.perf_counter() - started
        self.state = state
        self._ahead = (ahead, self._thread.submit(self._draw, ahead)) if ahead else None
        return batches

    def __enter__(self) -> Infeed:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=True)

    def _restart(self) -> None:
        """Drops what was drawn ahead in a number nobody wants any more."""
        if self._ahead is not None:
            self._ahead[1].result()
            self._sampler.state = self.state

    def _draw(self, steps: int) -> tuple[np.ndarray, SamplerState]:
        first = self._draw_one()
        batches = np.zeros((self._block, *first.shape), first.dtype)
        batches[0] = first
        for number in range(1, steps):
            batches[number] = self._draw_one()
        return batches, self._sampler.state

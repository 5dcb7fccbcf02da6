"""What every way to run the pipeline tells of its components while they run."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Event:
    """A component changed its state.

    Attributes:
        kind: `started`, `cached`, `finished`, `skipped`, `failed`, `stopped` (the user
            interrupted it), or in words how else it ended.
        component: Name of the component, or of its task.
        number: Place of the component in the run, from 1.
        total: Number of components.
        seconds: How long it took; 0 when it has only started.
    """

    kind: str
    component: str
    number: int
    total: int
    seconds: float = 0.0

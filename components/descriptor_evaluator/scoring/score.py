"""Scoring: the descriptors of image sequences in, the scores of all units out.

The units fall into groups that are scored independently of each other: image sequences
(matching), noise levels (verification), and queries whose pools leave out the same
distractors (retrieval). `score` goes through them here; `beam_scoring` hands the same groups
to Beam's workers.

Descriptors are float32 [16, N, D] by image sequence throughout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from components.core.names import MATCHING, RETRIEVAL, TASK_NAMES, VERIFICATION
from components.descriptor_evaluator.protocol import matching, retrieval, verification
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.protocol.task_tables import Tasks
from trainer.core import progress
from trainer.core.variants import VARIANTS

_GROUPS = {
    VERIFICATION: verification.groups,
    MATCHING: matching.groups,
    RETRIEVAL: retrieval.groups,
}


class Group(NamedTuple):
    """Units that are scored together.

    Attributes:
        task: `verification`, `matching` or `retrieval`.
        name: Noise level, image sequence, or group of image sequences.
    """

    task: str
    name: str


def groups_of(tasks: Tasks, which: Sequence[str] = TASK_NAMES) -> list[Group]:
    """Lists the groups of some tasks; a task that `tasks` has no tables for has none.

    Raises:
        ValueError: When a task is unknown.
    """
    unknown = sorted(set(which) - set(TASK_NAMES))
    if unknown:
        raise ValueError(f"there is no task {unknown[0]}, expected some of {TASK_NAMES}")
    return [
        Group(task, name) for task in TASK_NAMES if task in which for name in _GROUPS[task](tasks)
    ]


class Scorer:
    """Scores the groups of one descriptor's units."""

    def __init__(
        self, descriptors: Mapping[str, np.ndarray], tasks: Tasks, distance: Distance = "l2"
    ):
        self._descriptors = _Checked(descriptors, tasks)
        self._tasks = tasks
        self._distance = distance
        self._pool: np.ndarray | None = None
        self._scored: Counter[str] = Counter()

    def score(self, group: Group) -> list[UnitScore]:
        """Scores one group and reports progress.

        Raises:
            ValueError: When descriptors that it needs are missing or of another shape.
        """
        given = group.name, self._descriptors, self._tasks
        if group.task == VERIFICATION:
            scores = verification.score_group(*given, self._distance)
        elif group.task == MATCHING:
            scores = matching.score_group(*given, self._distance)
        else:
            if self._pool is None:
                self._pool = retrieval.pool_of(self._descriptors, self._tasks)
            scores = retrieval.score_group(*given, self._pool, self._distance)
        self._scored[group.task] += 1
        total = len(_GROUPS[group.task](self._tasks))
        progress.report(f"scoring {group.task}", self._scored[group.task], total, group.name)
        return scores


def score(
    descriptors: Mapping[str, np.ndarray],
    tasks: Tasks,
    which: Sequence[str] = TASK_NAMES,
    distance: Distance = "l2",
) -> list[UnitScore]:
    """Scores descriptors in this process; a task that `tasks` has no tables for gives no scores.

    Returns:
        One score per unit; equal input gives equal scores in equal order.

    Raises:
        ValueError: When descriptors are missing or not of the expected shape, or a task is
            unknown.
    """
    scorer = Scorer(descriptors, tasks, distance)
    return [unit for group in groups_of(tasks, which) for unit in scorer.score(group)]


class _Checked(Mapping[str, np.ndarray]):
    """Descriptors whose shape is compared with the tasks' counts when they are asked for."""

    def __init__(self, descriptors: Mapping[str, np.ndarray], tasks: Tasks):
        self._descriptors = descriptors
        self._counts = dict(zip(tasks.names, tasks.counts, strict=True))

    def __getitem__(self, name: str) -> np.ndarray:
        values = self._descriptors.get(name)
        shape = None if values is None else values.shape
        if values is None or values.shape[:2] != (len(VARIANTS), self._counts[name]):
            raise ValueError(
                f"descriptors of {name} have shape {shape}, expected "
                f"({len(VARIANTS)}, {self._counts[name]}, D)"
            )
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._descriptors)

    def __len__(self) -> int:
        return len(self._descriptors)

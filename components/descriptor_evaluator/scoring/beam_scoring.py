"""`score.score` on Beam's workers: the same groups, spread over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam

from components.core import files
from components.core.names import TASK_NAMES
from components.descriptor_evaluator.descriptors.store import StoredDescriptors
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.protocol.task_tables import Tasks
from components.descriptor_evaluator.scoring.score import Group, Scorer, groups_of
from components.descriptor_evaluator.scoring.scores_cache import rows_from_lines, rows_to_lines

_Numbered = tuple[int, list[UnitScore]]


def score_in_beam(
    descriptors: StoredDescriptors,
    tasks: Tasks,
    which: Sequence[str] = TASK_NAMES,
    distance: Distance = "l2",
    *,
    make_pipeline: Callable[[], Any],
    folder: str,
) -> tuple[UnitScore, ...]:
    """Scores stored descriptors in Beam; the result is that of `score.score`.

    The workers read the descriptors, and share `folder` for the tasks and the scores.
    """
    path = files.join(folder, "scores.jsonl")
    tasks.save(folder, compress=False)

    def write(parts: list[_Numbered]) -> None:
        scores = [unit for _, part in sorted(parts, key=lambda item: item[0]) for unit in part]
        files.write_text(path, rows_to_lines(scores))

    with make_pipeline() as pipeline:
        _ = (
            pipeline
            | "Groups" >> beam.Create(list(enumerate(groups_of(tasks, which))))
            | "Spread" >> beam.Reshuffle()
            | "Score" >> beam.ParDo(_ScoreGroup(descriptors, folder, distance))
            | "All" >> beam.combiners.ToList()
            | "Write" >> beam.Map(write)
        )
    return rows_from_lines(files.read_text(path))


class _ScoreGroup(beam.DoFn):
    """Scores (number, group); descriptors and tasks are opened once per worker."""

    def __init__(self, descriptors: StoredDescriptors, tasks_folder: str, distance: Distance):
        self._given = descriptors, tasks_folder, distance
        self._scorer: Scorer | None = None

    def process(self, item: tuple[int, Group]) -> Iterator[_Numbered]:
        """Yields (number, scores of the group)."""
        if self._scorer is None:
            descriptors, tasks_folder, distance = self._given
            self._scorer = Scorer(descriptors, Tasks.load(tasks_folder), distance)
        number, group = item
        yield number, self._scorer.score(Group(*group))

"""The three tasks as Beam transforms over the descriptors of each image sequence.

Every transform takes pairs (name of an image sequence, its descriptors) and gives unit scores,
the same ones bit for bit as the array functions. The descriptors are float32 [16, N, D], or
the path of the npy file that holds them: then only names travel between workers, which must
see the same file system.

What needs one image sequence alone is done where that sequence is: all of matching, the
queries of retrieval, a share of verification's pairs. What is global stays small: the pool
of distractors (retrieval) and one vector of distances per pair set and noise level
(verification), nine of at most a million numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import apache_beam as beam
import numpy as np

from components.descriptor_evaluator.descriptors.store import read_array, write_text
from components.descriptor_evaluator.protocol import matching, retrieval, verification
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.protocol.task_tables import Tasks
from components.descriptor_evaluator.protocol.tasks import TASK_NAMES
from components.descriptor_evaluator.scoring import scores_cache
from trainer.core.progress import report
from trainer.core.variants import NOISES, VARIANTS

Descriptors = np.ndarray | str  # an array, or the path of its npy file
_POSITIVES = "positives"


class ScoreTasks(beam.PTransform):
    """Scores several tasks: (name, descriptors) per image sequence -> `UnitScore`.

    Args:
        tasks: What is compared.
        folder: Where workers find `tasks` as `Tasks.save` wrote them; verification alone
            reads it, for its tables are too large to travel with a function.
        which: Tasks to score; one that `tasks` does not hold gives no rows.
        distance: What patches are near by.
    """

    def __init__(
        self,
        tasks: Tasks,
        folder: str,
        which: Sequence[str] = TASK_NAMES,
        distance: Distance = "l2",
    ):
        super().__init__()
        self._distance = distance
        self._tasks = tasks
        self._folder = folder
        self._which = tuple(which)

    def expand(self, descriptors: beam.PCollection) -> beam.PCollection:
        """Applies the transform of each task."""
        transforms: dict[str, beam.PTransform] = {
            "verification": ScoreVerification(self._tasks, self._folder, self._distance),
            "matching": ScoreMatching(self._tasks, self._distance),
            "retrieval": ScoreRetrieval(self._tasks, self._distance),
        }
        rows = tuple(
            descriptors | f"Score{task.title()}" >> transforms[task] for task in self._which
        )
        return rows | beam.Flatten(pipeline=descriptors.pipeline)


class ScoreMatching(beam.PTransform):
    """Matching: each image sequence is scored on its own.

    Args:
        tasks: Image sequences and their sources.
        distance: What neighbours are near by.
    """

    def __init__(self, tasks: Tasks, distance: Distance = "l2"):
        super().__init__()
        self._distance = distance
        self._tasks = _without_tables(tasks)

    def expand(self, descriptors: beam.PCollection) -> beam.PCollection:
        """(name, descriptors) -> `UnitScore`, one per image pair."""
        return descriptors | "MatchImages" >> beam.ParDo(
            _MatchSequence(self._tasks, self._distance)
        )


class ScoreRetrieval(beam.PTransform):
    """Retrieval: the queries of each image sequence against the pool they share.

    Args:
        tasks: Queries and distractors; without them there are no rows.
        distance: What patches are near by.
    """

    def __init__(self, tasks: Tasks, distance: Distance = "l2"):
        super().__init__()
        self._distance = distance
        self._tasks = replace(
            _without_tables(tasks), queries=tasks.queries, distractors=tasks.distractors
        )

    def expand(self, descriptors: beam.PCollection) -> beam.PCollection:
        """(name, descriptors) -> `UnitScore`, one per query and noise level."""
        if self._tasks.queries is None or self._tasks.distractors is None:
            return descriptors.pipeline | beam.Create([])
        pool = (
            descriptors
            | "Distractors" >> beam.ParDo(_TakeDistractors(self._tasks))
            | "Pool" >> beam.CombineGlobally(_Assemble(axis=0))
        )
        return descriptors | "Query" >> beam.ParDo(
            _ScoreQueries(self._tasks, self._distance), pool=beam.pvalue.AsSingleton(pool)
        )


class ScoreVerification(beam.PTransform):
    """Verification: distances by the first patch's image sequence, then a score per pair set.

    Pairs between sequences need the descriptors of both, so these are a side input: with
    paths a table of names; with arrays every worker holds them all.

    Args:
        tasks: Pairs; a set without pairs gives no rows.
        folder: Where workers find `tasks` as `Tasks.save` wrote them.
        distance: What pairs are near by.
    """

    def __init__(self, tasks: Tasks, folder: str, distance: Distance = "l2"):
        super().__init__()
        self._distance = distance
        self._sets = [
            name
            for name in (_POSITIVES, *verification.NEGATIVES)
            if getattr(tasks, name) is not None
        ]
        self._sequences = len(tasks.names)
        self._folder = folder

    def expand(self, descriptors: beam.PCollection) -> beam.PCollection:
        """(name, descriptors) -> `UnitScore`, one per pair set and noise level."""
        if _POSITIVES not in self._sets:
            return descriptors.pipeline | beam.Create([])
        shares = [(name, number) for name in self._sets for number in range(self._sequences)]
        distances = (
            descriptors.pipeline
            | "PairSets" >> beam.Create(shares)
            | "Distances"
            >> beam.ParDo(
                _PairDistances(self._folder, self._distance), beam.pvalue.AsDict(descriptors)
            )
            | "Vectors" >> beam.CombinePerKey(_Assemble(axis=1))
        )
        positive = (
            distances
            | "Positives" >> beam.Filter(lambda item: item[0] == _POSITIVES)
            | "Distance" >> beam.Values()
        )
        return (
            distances
            | "Negatives" >> beam.Filter(lambda item: item[0] != _POSITIVES)
            | "ScorePairs"
            >> beam.ParDo(_ScorePairSet(self._folder), beam.pvalue.AsSingleton(positive))
        )


class WriteRows(beam.PTransform):
    """Writes `UnitScore`s as JSON lines, in the order of `evaluate.score`.

    Args:
        path: File, local or remote; written whole.
        tasks: What was scored.
    """

    def __init__(self, path: str, tasks: Tasks):
        super().__init__()
        self._path = path
        self._tasks = replace(_without_tables(tasks), queries=tasks.queries)

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        """`UnitScore` -> nothing."""
        path, tasks = self._path, self._tasks

        def write(found: list[UnitScore]) -> None:
            write_text(path, scores_cache.rows_to_lines(in_order(found, tasks)))

        return rows | beam.combiners.ToList() | "WriteLines" >> beam.Map(write)


def in_order(rows: Iterable[UnitScore], tasks: Tasks) -> list[UnitScore]:
    """Sorts rows, which Beam gives in any order, into the order of `evaluate.score`."""
    number = {name: place for place, name in enumerate(tasks.names)}
    group = dict(zip(tasks.names, tasks.group_numbers.tolist(), strict=True))
    queries: dict[tuple[str, str], int] = {}
    if tasks.queries is not None:
        points = zip(tasks.queries.sequence, tasks.queries.index, strict=True)
        for place, (sequence, index) in enumerate(points):
            queries.setdefault((tasks.names[sequence], str(index)), place)

    def key(row: UnitScore) -> tuple[Any, ...]:
        task, noise = TASK_NAMES.index(row.task), NOISES.index(row.noise)
        if row.task == matching.TASK:
            return task, number[row.sequence], noise, row.unit
        if row.task == retrieval.TASK:
            return task, group[row.sequence], queries[row.sequence, row.unit], noise
        return task, verification.NEGATIVES.index(row.unit), noise

    return sorted(rows, key=key)


class _Opened(Mapping[str, np.ndarray]):
    """Descriptors by image sequence; files are opened when they are asked for, and mapped."""

    def __init__(self, tasks: Tasks, found: Mapping[str, Descriptors]):
        self._counts = dict(zip(tasks.names, tasks.counts, strict=True))
        self._found = found
        self._opened: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._opened:
            if name not in self._found:
                raise ValueError(f"descriptors of {name} are missing")
            found = self._found[name]
            values = read_array(found) if isinstance(found, str) else found
            if name not in self._counts or values.shape[:2] != (len(VARIANTS), self._counts[name]):
                raise ValueError(
                    f"descriptors of {name} have shape {values.shape}, expected "
                    f"({len(VARIANTS)}, {self._counts.get(name)}, D)"
                )
            self._opened[name] = values
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class _MatchSequence(beam.DoFn):
    """Scores the matching of an image sequence."""

    def __init__(self, tasks: Tasks, distance: Distance):
        self._tasks = tasks
        self._distance = distance
        self._done = 0

    def process(self, item: tuple[str, Descriptors]) -> Iterator[UnitScore]:
        """(name, descriptors) -> 15 rows."""
        name = item[0]
        values = _Opened(self._tasks, dict([item]))[name]
        number = self._tasks.names.index(name)
        source, kind = self._tasks.sources[number], self._tasks.kinds[number]
        yield from matching.rows_of_sequence(name, source, kind, values, self._distance)
        self._done += 1
        report("scoring matching", self._done, len(self._tasks.names), name)


class _TakeDistractors(beam.DoFn):
    """Takes the distractors of an image sequence."""

    def __init__(self, tasks: Tasks):
        self._tasks = tasks

    def process(self, item: tuple[str, Descriptors]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(name, descriptors) -> (places in the pool [m], distractors float32 [m, D])."""
        assert self._tasks.distractors is not None
        values = _Opened(self._tasks, dict([item]))[item[0]]
        sequence, index = self._tasks.distractors.sequence, self._tasks.distractors.index
        places = np.flatnonzero(sequence == self._tasks.names.index(item[0]))
        yield places, np.array(values[0, index[places]])


class _ScoreQueries(beam.DoFn):
    """Scores the retrieval queries of an image sequence."""

    def __init__(self, tasks: Tasks, distance: Distance):
        self._tasks = tasks
        self._distance = distance
        self._done = 0

    def process(self, item: tuple[str, Descriptors], pool: np.ndarray) -> Iterator[UnitScore]:
        """(name, descriptors) and the pool float32 [M, D] -> rows."""
        tasks = self._tasks
        assert tasks.queries is not None and tasks.distractors is not None
        if len(pool) != len(tasks.distractors):
            raise ValueError(
                f"descriptors of {len(tasks.distractors) - len(pool)} distractors are missing"
            )
        places = np.flatnonzero(tasks.queries.sequence == tasks.names.index(item[0]))
        if len(places):
            yield from retrieval.rows_of_queries(
                _Opened(tasks, dict([item])), tasks, places, pool, self._distance
            )
        self._done += 1
        report("scoring retrieval", self._done, len(tasks.names), item[0])


class _PairDistances(beam.DoFn):
    """Computes the distances of the pairs of a set whose first patch is of one sequence."""

    def __init__(self, folder: str, distance: Distance):
        self._folder = folder
        self._distance = distance
        self._tasks: Tasks | None = None
        self._opened: _Opened | None = None
        self._done = 0

    def process(
        self, share: tuple[str, int], found: Mapping[str, Descriptors]
    ) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
        """(set, sequence number) -> (set, (rows in the set [m], distances float32 [3, m]))."""
        tasks = self._tasks = self._tasks or Tasks.load(self._folder)
        self._opened = self._opened or _Opened(tasks, found)
        name, number = share
        pairs = getattr(tasks, name)
        rows = np.flatnonzero(pairs.sequence1 == number)
        if len(rows):
            chosen = replace(pairs, **{key: values[rows] for key, values in vars(pairs).items()})
            found_distances = verification.pair_distances(
                self._opened, tasks.names, chosen, self._distance
            )
            yield name, (rows, found_distances)
        self._done += 1
        sets = 1 + sum(getattr(tasks, key) is not None for key in verification.NEGATIVES)
        report("scoring verification", self._done, sets * len(tasks.names), tasks.names[number])


class _ScorePairSet(beam.DoFn):
    """Scores a set of negative pairs."""

    def __init__(self, folder: str):
        self._folder = folder
        self._tasks: Tasks | None = None

    def process(self, item: tuple[str, np.ndarray], positive: np.ndarray) -> Iterator[UnitScore]:
        """(set, distances float32 [3, n]) and those of the positives -> 3 rows."""
        tasks = self._tasks = self._tasks or Tasks.load(self._folder)
        yield from verification.rows_of_pair_set(*item, positive, tasks)


class _Assemble(beam.CombineFn):
    """Puts parts (places [m], values) of an array together; `axis` is the one of the places."""

    def __init__(self, axis: int):
        super().__init__()
        self._axis = axis

    def create_accumulator(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Starts without parts."""
        return []

    def add_input(self, parts: list, part: tuple[np.ndarray, np.ndarray]) -> list:
        """Adds a part."""
        return [*parts, part]

    def merge_accumulators(self, several: Iterable[list]) -> list:
        """Joins parts."""
        return [part for parts in several for part in parts]

    def extract_output(self, parts: list) -> np.ndarray:
        """Returns the parts' values, each in its place."""
        if not parts:
            return np.empty((0, 0), np.float32)
        places = np.concatenate([part[0] for part in parts])
        if places.max() >= len(places):
            raise ValueError("descriptors of some image sequences are missing")
        values = np.concatenate([part[1] for part in parts], axis=self._axis)
        result = np.empty_like(values)
        result[(slice(None),) * self._axis + (places,)] = values
        return result


def _without_tables(tasks: Tasks) -> Tasks:
    """Returns the image sequences alone, which travel with a function."""
    return replace(tasks, positives=None, intra=None, inter=None, queries=None, distractors=None)

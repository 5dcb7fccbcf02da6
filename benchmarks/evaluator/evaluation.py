"""The three tasks, ours against one pair and one query at a time; equal values required."""

from __future__ import annotations

import time

import numpy as np
from rich.table import Table
from scipy.spatial import distance

from benchmarks.harness.targets import MissedError
from components.descriptor_evaluator.protocol import tasks as task_sources
from components.descriptor_evaluator.protocol.tasks import SequenceInfo, Tasks, TaskSettings
from components.descriptor_evaluator.scoring import summary
from components.descriptor_evaluator.scoring.score import score
from trainer.core.average_precision import average_precision
from trainer.core.variants import NOISES, TARGETS, VARIANTS, variant_index

SEQUENCES, POINTS, DIMENSION = 4, 400, 128
MOST_APART = 1e-6  # rounding of distances in float32
_PAIR_KEYS = ("sequence1", "image1", "index1", "sequence2", "image2", "index2")


def run(work: str) -> Table:
    """Returns seconds and headline of each task, both ways.

    Raises:
        MissedError: When the two ways differ by more than `MOST_APART`.
    """
    del work
    descriptors = _descriptors()
    infos = [SequenceInfo(name, name, name[0], POINTS) for name in descriptors]
    tasks = task_sources.draw(infos, TaskSettings(pairs_per_point=10.0))
    table = Table(
        title=f"{SEQUENCES} sequences x {POINTS} points x {len(VARIANTS)} patches x {DIMENSION}"
    )
    for column in ("task", "one at a time, s", "ours, s", "ratio", "headline", "difference"):
        table.add_column(column, justify="right" if column != "task" else "left")
    for task, literal in (
        ("verification", literal_verification),
        ("matching", literal_matching),
        ("retrieval", literal_retrieval),
    ):
        begin = time.perf_counter()
        expected = literal(descriptors, tasks)
        slow = time.perf_counter() - begin
        begin = time.perf_counter()
        rows = score(descriptors, tasks, [task])
        fast = time.perf_counter() - begin
        ours = summary.summarise(rows)[task]["mean"]
        if not abs(ours - expected) <= MOST_APART:
            raise MissedError(
                f"{task}: ours is {ours:.9f}, one at a time {expected:.9f}, expected equal values "
                f"(at most {MOST_APART:g} apart); the scoring is wrong, run its tests"
            )
        table.add_row(
            task,
            f"{slow:.2f}",
            f"{fast:.2f}",
            f"{slow / fast:.0f}",
            f"{ours:.4f}",
            f"{abs(ours - expected):.1e}",
        )
    return table


def _descriptors() -> dict[str, np.ndarray]:
    return {
        f"{'iv'[number % 2]}_{number}": made_up(number, POINTS, DIMENSION)
        for number in range(SEQUENCES)
    }


def made_up(seed: int, points: int, dimension: int) -> np.ndarray:
    """Returns unit descriptors of an image sequence, float32 [16, N, D].

    The variants of a point scatter about it, more so when noisier.
    """
    spread = np.array([0.0] + [0.06 * (1 + noise) for noise in range(3) for _ in range(TARGETS)])
    random = np.random.default_rng(seed)
    centres = random.standard_normal((1, points, dimension)) / np.sqrt(dimension)
    values = centres + spread[:, None, None] * random.standard_normal(
        (len(VARIANTS), points, dimension)
    )
    values /= np.linalg.norm(values, axis=-1, keepdims=True)
    return values.astype(np.float32)


def literal_matching(descriptors: dict[str, np.ndarray], tasks: Tasks) -> float:
    """Returns matching mAP, one query at a time."""
    values = []
    for name in tasks.names:
        reference = descriptors[name][0]
        for noise in NOISES:
            for target in range(1, TARGETS + 1):
                others = descriptors[name][variant_index(noise, target)]
                nearest, distances = [], []
                for query in reference:
                    row = np.linalg.norm(others - query, axis=1)
                    nearest.append(int(row.argmin()))
                    distances.append(row[nearest[-1]])
                right = np.array(nearest) == np.arange(len(reference))
                values.append(average_precision(-np.array(distances), right, len(reference)))
    return float(np.mean(values))


def literal_retrieval(descriptors: dict[str, np.ndarray], tasks: Tasks) -> float:
    """Returns retrieval mAP, one query and pool at a time."""
    assert tasks.queries is not None and tasks.distractors is not None
    groups = np.array(tasks.groups)
    pool = np.stack(
        [
            descriptors[tasks.names[s]][0, i]
            for s, i in zip(tasks.distractors.sequence, tasks.distractors.index, strict=True)
        ]
    )
    pool_groups = groups[tasks.distractors.sequence]
    values = []
    for noise in NOISES:
        for s, i in zip(tasks.queries.sequence, tasks.queries.index, strict=True):
            own = descriptors[tasks.names[s]]
            positives = [own[variant_index(noise, k), i] for k in range(1, TARGETS + 1)]
            others = pool[pool_groups != groups[s]]
            distances = np.linalg.norm(np.concatenate([positives, others]) - own[0, i], axis=1)
            labels = np.arange(len(distances)) < TARGETS
            values.append(
                np.mean(
                    [
                        average_precision(-distances[:k], labels[:k], TARGETS)
                        for k in tasks.pool_sizes
                    ]
                )
            )
    return float(np.mean(values))


def literal_verification(descriptors: dict[str, np.ndarray], tasks: Tasks) -> float:
    """Returns verification mAP, one pair at a time."""
    values = []
    for noise in NOISES:
        positive = _pair_distances(descriptors, tasks, tasks.positives, noise)
        for pairs in (tasks.intra, tasks.inter):
            negative = _pair_distances(descriptors, tasks, pairs, noise)
            part = positive[: int(0.2 * len(negative))]
            scores = -np.concatenate([negative, part])
            labels = np.arange(len(scores)) >= len(negative)
            values.append(average_precision(scores, labels, len(part)))
    return float(np.mean(values))


def _pair_distances(descriptors, tasks: Tasks, pairs, noise: str) -> np.ndarray:
    """Returns each pair's distance by SciPy's `euclidean`, as the reference evaluator takes it."""
    return np.array(
        [
            distance.euclidean(
                descriptors[tasks.names[s1]][variant_index(noise, t1), i1],
                descriptors[tasks.names[s2]][variant_index(noise, t2), i2],
            )
            for s1, t1, i1, s2, t2, i2 in zip(
                *(getattr(pairs, key) for key in _PAIR_KEYS), strict=True
            )
        ]
    )

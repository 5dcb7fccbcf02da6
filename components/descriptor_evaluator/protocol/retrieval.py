"""The retrieval task: find a patch's five other views among distractors.

For a query and a noise level the pool is the five positives of that noise followed by the
distractors in file order that do not belong to the query's group (its sequence in the
official task, its scene in drawn ones). The pool is *cut to its first k entries* and then
ranked, for each pool size k.

Instead of sorting pools, the distractors that are nearer than each positive are counted:
one blocked matrix product (L2) or distance matrix (others) serves all noise levels and pool sizes.

Source: HPatches, section 5 (patch retrieval), scored as in the Python evaluator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.core.names import RETRIEVAL
from components.descriptor_evaluator.protocol import distances
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.metrics import metrics_of
from components.descriptor_evaluator.protocol.scores import TIE_SAFE, UnitScore
from components.descriptor_evaluator.protocol.task_tables import Tasks
from trainer.core.average_precision import average_precision_of_ranks
from trainer.core.variants import NOISES, TARGETS

_CHUNK = 255  # distractors counted at once; a count must fit a byte
_QUERIES = 256  # queries per block: products of chunk x block stay in the cache


def score_queries(
    queries: np.ndarray,
    positives: np.ndarray,
    distractors: np.ndarray,
    pool_sizes: Sequence[int],
    distance: Distance = "l2",
) -> dict[str, np.ndarray]:
    """Scores queries that share their distractors.

    Args:
        queries: float32 [Q, D].
        positives: float32 [Q, 3, 5, D], by noise level and target.
        distractors: float32 [M, D] in file order.
        pool_sizes: Ascending pool sizes, each at least 5; one beyond 5 + M takes all.
        distance: Distance metric.

    Returns:
        float64 [Q, 3, K] per noise level and pool size, by the name of the metric: as the
        reference has it (NaN where no entry of the pool has a finite distance), and with ties
        counted against the descriptors under the name that ends in `_tie_safe`.

    Raises:
        ValueError: When the pool sizes are not ascending or one is below 5.
    """
    sizes = list(pool_sizes)
    if not sizes or sizes != sorted(set(sizes)) or sizes[0] < TARGETS:
        raise ValueError(f"pool sizes are {sizes}, expected ascending numbers of at least 5")
    pool = _Pool(distractors, distances.finite_rows(distractors), sizes, distance)
    encoded = _encode(pool, queries) if distance == "l2" else None
    blocks = [
        _score_block(
            queries[start : start + _QUERIES], positives[start : start + _QUERIES], pool, encoded
        )
        for start in range(0, len(queries), _QUERIES)
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


@dataclass(frozen=True)
class _Pool:
    """Distractors [M, D], which are finite [M], the pool sizes and the distance."""

    distractors: np.ndarray
    finite: np.ndarray
    sizes: list[int]
    distance: Distance

    def cuts(self) -> list[int]:
        """Returns how many distractors each pool size leaves."""
        return [min(size - TARGETS, len(self.distractors)) for size in self.sizes]


@dataclass(frozen=True)
class _EncodedPool:
    """Distractors in a code, and the right factor of products with them, [M, D + 1]."""

    code: distances.Code
    distractors: distances.Encoded
    factor: np.ndarray


@dataclass(frozen=True)
class _Thresholds:
    """What distractors are compared with, for P positives of each of Q queries.

    Attributes:
        exact: float64 [P, Q] distances of the positives; -inf when never retrieved.
        low: float32 [P, Q]; a product below it is surely nearer than the positive.
        high: float32 [P, Q]; a product above it is surely farther.
        certain: bool [Q], products of this query are exact.
    """

    exact: np.ndarray
    low: np.ndarray
    high: np.ndarray
    certain: np.ndarray


def _encode(pool: _Pool, queries: np.ndarray) -> _EncodedPool:
    """Encodes the distractors in a code that suits the queries [Q, D] too."""
    finite, usable = pool.finite, distances.finite_rows(queries)
    code = distances.Code.around(np.concatenate([pool.distractors[finite], queries[usable]]))
    encoded = code.encode(np.where(finite[:, None], pool.distractors, code.centre))
    return _EncodedPool(code, encoded, encoded.as_right())


def _score_block(
    queries: np.ndarray, positives: np.ndarray, pool: _Pool, encoded: _EncodedPool | None
) -> dict[str, np.ndarray]:
    """Scores a block as `score_queries`. Without an encoded pool all is exact."""
    usable = distances.finite_rows(queries)
    flat = positives.reshape(len(queries), -1, positives.shape[-1])
    with np.errstate(invalid="ignore", over="ignore"):
        exact = np.stack(
            [
                distances.exact_pairs(queries, flat[:, p], pool.distance)
                for p in range(flat.shape[1])
            ]
        )
    retrieved = np.isfinite(exact)
    limits = np.where(retrieved, exact, -np.inf)
    if encoded is None:
        nearer, not_farther = _count_exactly(queries, pool, limits)
    else:
        left = encoded.code.encode(np.where(usable[:, None], queries, encoded.code.centre))
        thresholds = _thresholds(limits, left, encoded)
        nearer, not_farther = _count(queries, left, pool, encoded.factor, thresholds)

    cuts = pool.cuts()
    ranked = np.concatenate([[0], np.cumsum(pool.finite)])[cuts]
    any_positive = retrieved.reshape(len(NOISES), TARGETS, -1).any(axis=1)
    scorable = usable & (any_positive | (ranked[:, None, None] > 0))
    # [K, P, Q] -> [Q, 3, K, 5]
    by_target = retrieved.T.reshape(-1, len(NOISES), 1, TARGETS)
    scores = {}
    for suffix, counts in (("", nearer), (TIE_SAFE, not_farther)):
        before = counts.reshape(len(cuts), len(NOISES), TARGETS, -1).transpose(3, 1, 0, 2)
        for name, metric in metrics_of(RETRIEVAL).items():
            values = metric(before, np.broadcast_to(by_target, before.shape))
            scores[f"{name}{suffix}"] = np.where(scorable.transpose(2, 1, 0), values, np.nan)
    return scores


def _count_exactly(
    queries: np.ndarray, pool: _Pool, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As `_count`, from the distance matrix; limits is float64 [P, Q]."""
    cuts = pool.cuts()
    counts = np.zeros((2, len(cuts), *limits.shape), np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        matrix = distances.exact_matrix(pool.distractors, queries, pool.distance)
    limits = limits.astype(matrix.dtype)
    done = 0
    for number, cut in enumerate(cuts):
        part = matrix[done:cut]  # NaN is neither nearer nor as near
        for place, limit in enumerate(limits):
            counts[0, number, place] = np.count_nonzero(part < limit, axis=0)
            counts[1, number, place] = np.count_nonzero(part <= limit, axis=0)
        done = max(done, cut)
    nearer, not_farther = counts.cumsum(axis=1)
    return nearer, not_farther


def _thresholds(exact: np.ndarray, left: distances.Encoded, encoded: _EncodedPool) -> _Thresholds:
    band, scale = distances.tolerance(left, encoded.distractors), encoded.code.scale
    with np.errstate(over="ignore", invalid="ignore"):
        middle = np.where(np.isfinite(exact), (exact * scale) ** 2 - left.squares, -np.inf)
        low, high = (middle - band).astype(np.float32), (middle + band).astype(np.float32)
    low = np.nextafter(low, np.float32(-np.inf))
    high = np.where(np.isfinite(exact), np.nextafter(high, np.float32(np.inf)), -np.inf)
    # Query and distractors are one point: products are 0, and no rounding is involved.
    certain = band == 0.0
    low = np.where(certain, np.where(exact > 0, 1.0, 0.0), low)
    high = np.where(certain, np.where(exact >= 0, 1.0, -1.0), high)
    return _Thresholds(exact, low.astype(np.float32), high.astype(np.float32), certain)


def _count(
    queries: np.ndarray,
    left: distances.Encoded,
    pool: _Pool,
    right: np.ndarray,
    limits: _Thresholds,
) -> tuple[np.ndarray, np.ndarray]:
    """Counts distractors nearer, and not farther, than each positive: int64 [K, P, Q] each."""
    cuts = pool.cuts()
    shape = (len(cuts), *limits.exact.shape)
    nearer, not_farther = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    factor = left.as_left().T
    beyond = ~pool.finite  # never retrieved
    done = 0
    for number, cut in enumerate(cuts):
        if number:
            nearer[number], not_farther[number] = nearer[number - 1], not_farther[number - 1]
        for start in range(done, cut, _CHUNK):
            chunk = slice(start, min(start + _CHUNK, cut))
            product = right[chunk] @ factor
            product[beyond[chunk]] = np.inf
            below, up_to = _count_chunk(product, queries, pool.distractors[chunk], limits)
            nearer[number] += below
            not_farther[number] += up_to
        done = max(done, cut)
    return nearer, not_farther


def _count_chunk(
    product: np.ndarray, queries: np.ndarray, distractors: np.ndarray, limits: _Thresholds
) -> tuple[np.ndarray, np.ndarray]:
    """Counts one chunk: int [P, Q] each; product is float32 [C, Q] with C <= 255."""
    below = _byte_sum(product[:, None] < limits.low)
    up_to = _byte_sum(product[:, None] <= limits.high)
    unsure = np.flatnonzero((below != up_to).any(axis=0) & ~limits.certain)
    if len(unsure):
        sure = below[:, unsure].copy()
        extra = _recount(product, queries, distractors, limits, unsure)
        below[:, unsure] = sure + extra[0]
        up_to[:, unsure] = sure + extra[1]
    return below, up_to


def _byte_sum(mask: np.ndarray) -> np.ndarray:
    """Sums up to 255 booleans along the first axis; bytes are several times faster."""
    return np.add.reduce(mask.view(np.uint8), axis=0, dtype=np.uint8).astype(np.int64)


def _recount(
    product: np.ndarray,
    queries: np.ndarray,
    distractors: np.ndarray,
    limits: _Thresholds,
    columns: np.ndarray,
) -> np.ndarray:
    """Decides by exact distances what the product leaves open.

    Returns:
        int64 [2, P, number of columns]: open cases that are nearer, and not farther.
    """
    low, high = limits.low[:, columns], limits.high[:, columns]
    exact = limits.exact[:, columns]
    part = product[:, columns]
    open_to = (part[:, None] >= low) & (part[:, None] <= high)
    row, column = np.nonzero(open_to.any(axis=1))
    if len(row) > 0.2 * part.size:  # then the whole matrix costs less than gathering pairs
        distance = distances.exact_matrix(distractors, queries[columns])[row, column]
    else:
        distance = distances.exact_pairs(distractors[row], queries[columns[column]])
    case, positive = np.nonzero(open_to[row, :, column])
    cell = positive * len(columns) + column[case]
    limit = exact[positive, column[case]]
    counts = [
        np.bincount(cell[chosen], minlength=exact.size).reshape(exact.shape)
        for chosen in (distance[case] < limit, distance[case] <= limit)
    ]
    return np.stack(counts)


def query_precision(before: np.ndarray, retrieved: np.ndarray) -> np.ndarray:
    """Average precision of queries with five positives each."""
    return average_precision_of_ranks(before, retrieved, TARGETS)


def groups(tasks: Tasks) -> tuple[str, ...]:
    """Returns the groups that queries are of, each of which is scored on its own."""
    if tasks.queries is None or tasks.distractors is None:
        return ()
    asked = {tasks.groups[number] for number in np.unique(tasks.queries.sequence)}
    return tuple(sorted(asked, key=tasks.groups.index))


def pool_of(descriptors: Mapping[str, np.ndarray], tasks: Tasks) -> np.ndarray:
    """Gathers the distractors that all groups share, float32 [M, D] in file order."""
    assert tasks.distractors is not None
    return tasks.gather_references(descriptors, tasks.distractors)


def score_group(
    group: str,
    descriptors: Mapping[str, np.ndarray],
    tasks: Tasks,
    pool: np.ndarray,
    distance: Distance = "l2",
) -> list[UnitScore]:
    """Scores the queries of a group.

    Args:
        group: One of `groups`.
        descriptors: float32 [16, N, D] of (at least) the group's image sequences.
        tasks: Queries and distractors.
        pool: As `pool_of` returned it.
        distance: Distance metric.

    Returns:
        One score per query and noise level.
    """
    assert tasks.queries is not None and tasks.distractors is not None
    member = np.array([name == group for name in tasks.groups])
    places = np.flatnonzero(member[tasks.queries.sequence])
    others = ~member[tasks.distractors.sequence]
    views = tasks.gather_views(descriptors, tasks.queries, places)
    targets = views[:, 1:].reshape(len(places), len(NOISES), TARGETS, views.shape[-1])
    scores = score_queries(views[:, 0], targets, pool[others], tasks.pool_sizes, distance)
    return _unit_scores(tasks, places, scores)


def _unit_scores(
    tasks: Tasks, places: np.ndarray, by_metric: Mapping[str, np.ndarray]
) -> list[UnitScore]:
    assert tasks.queries is not None
    names: list[str] = []
    columns: list[np.ndarray] = []
    for metric, values in by_metric.items():  # the mean over pool sizes, and each of them
        plain = metric.removesuffix(TIE_SAFE)
        end = metric.removeprefix(plain)
        names += [metric, *(f"{plain}@{size}{end}" for size in tasks.pool_sizes)]
        columns += [values.mean(axis=-1, keepdims=True), values]
    table = np.concatenate(columns, axis=-1).tolist()
    scores = []
    for row, place in enumerate(places):
        number = int(tasks.queries.sequence[place])
        name, scene, kind = tasks.names[number], tasks.scenes[number], tasks.kinds[number]
        unit = str(int(tasks.queries.index[place]))
        for level, noise in enumerate(NOISES):
            metrics = dict(zip(names, table[row][level], strict=True))
            scores.append(UnitScore(RETRIEVAL, noise, kind, name, scene, unit, metrics))
    return scores

"""The retrieval task: find a patch's five other views among distractors.

For a query and a noise level the pool is the five positives of that noise followed by the
distractors in file order that do not belong to the query's group (its sequence in the
official task, its source in drawn ones). The pool is *cut to its first k entries* and then
ranked, for each pool size k.

Instead of sorting pools, the distractors that are nearer than each positive are counted:
one blocked matrix product (L2) or distance matrix (L1) serves all noise levels and pool sizes.

Source: HPatches, section 5 (patch retrieval), scored as in the Python evaluator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.descriptor_evaluator.protocol import distances
from components.descriptor_evaluator.protocol.average_precision import average_precision_of_ranks
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.scores import POOL, TIE_SAFE, UnitScore
from components.descriptor_evaluator.protocol.tasks import Tasks
from trainer.core import progress
from trainer.core.variants import NOISES, TARGETS

TASK = "retrieval"
_CHUNK = 255  # distractors counted at once; a count must fit a byte
_QUERIES = 256  # queries per block: products of chunk x block stay in the cache


@dataclass(frozen=True)
class RetrievalScores:
    """Average precisions of Q queries.

    Attributes:
        reference: float64 [Q, 3, K] per noise level and pool size, as the reference has it;
            NaN where no entry of the pool has a finite distance.
        tie_safe: float64 [Q, 3, K], ties counted against the descriptors.
    """

    reference: np.ndarray
    tie_safe: np.ndarray


def score_queries(
    queries: np.ndarray,
    positives: np.ndarray,
    distractors: np.ndarray,
    pool_sizes: Sequence[int],
    distance: Distance = "l2",
) -> RetrievalScores:
    """Scores queries that share their distractors.

    Args:
        queries: float32 [Q, D].
        positives: float32 [Q, 3, 5, D], by noise level and target.
        distractors: float32 [M, D] in file order.
        pool_sizes: Ascending pool sizes, each at least 5; one beyond 5 + M takes all.
        distance: What patches are near by.

    Raises:
        ValueError: When the pool sizes are not ascending or one is below 5.
    """
    sizes = list(pool_sizes)
    if not sizes or sizes != sorted(set(sizes)) or sizes[0] < TARGETS:
        raise ValueError(f"pool sizes are {sizes}, expected ascending numbers of at least 5")
    shape = (len(queries), len(NOISES), len(sizes))
    scores = RetrievalScores(np.empty(shape), np.empty(shape))
    pool = _Pool(distractors, distances.finite_rows(distractors), sizes, distance)
    encoded = _encode(pool, queries) if distance == "l2" else None
    for start in range(0, len(queries), _QUERIES):
        block = slice(start, start + _QUERIES)
        reference, tie_safe = _score_block(queries[block], positives[block], pool, encoded)
        scores.reference[block], scores.tie_safe[block] = reference, tie_safe
    return scores


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
) -> tuple[np.ndarray, np.ndarray]:
    """Scores a block; float64 [Q, 3, K] twice. Without an encoded pool all is exact."""
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
    found = retrieved.T.reshape(-1, len(NOISES), 1, TARGETS)
    areas = []
    for counts in (nearer, not_farther):
        before = counts.reshape(len(cuts), len(NOISES), TARGETS, -1).transpose(3, 1, 0, 2)
        area = average_precision_of_ranks(before, np.broadcast_to(found, before.shape), TARGETS)
        areas.append(np.where(scorable.transpose(2, 1, 0), area, np.nan))
    return areas[0], areas[1]


def _count_exactly(
    queries: np.ndarray, pool: _Pool, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As `_count`, from the distance matrix; limits is float64 [P, Q]."""
    cuts = pool.cuts()
    counts = np.zeros((2, len(cuts), *limits.shape), np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        matrix = distances.exact_matrix(pool.distractors, queries, pool.distance)
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


def score(
    descriptors: Mapping[str, np.ndarray], tasks: Tasks, distance: Distance = "l2"
) -> list[UnitScore]:
    """Scores all queries; one row per query and noise level.

    Args:
        descriptors: float32 [16, N, D] per image sequence.
        tasks: Queries and distractors; without them there are no rows.
        distance: What patches are near by.
    """
    if tasks.queries is None or tasks.distractors is None:
        return []
    pool = tasks.gather_references(descriptors, tasks.distractors)
    asked = tasks.group_numbers[tasks.queries.sequence]
    rows: list[UnitScore] = []
    present = np.unique(asked)
    for number, group in enumerate(present):
        places = np.flatnonzero(asked == group)
        rows += rows_of_queries(descriptors, tasks, places, pool, distance)
        progress.report("scoring retrieval", number + 1, len(present))
    return rows


def rows_of_queries(
    descriptors: Mapping[str, np.ndarray],
    tasks: Tasks,
    places: np.ndarray,
    pool: np.ndarray,
    distance: Distance = "l2",
) -> list[UnitScore]:
    """Scores some queries of one group; one row per query and noise level.

    Args:
        descriptors: float32 [16, N, D] of (at least) the queries' image sequences.
        tasks: Queries and distractors.
        places: Which queries, at least one.
        pool: float32 [M, D], all distractors in file order.
        distance: What patches are near by.
    """
    assert tasks.queries is not None and tasks.distractors is not None
    group = tasks.group_numbers
    others = group[tasks.distractors.sequence] != group[tasks.queries.sequence[places[0]]]
    views = tasks.gather_views(descriptors, tasks.queries, places)
    targets = views[:, 1:].reshape(len(places), len(NOISES), TARGETS, views.shape[-1])
    found = score_queries(views[:, 0], targets, pool[others], tasks.pool_sizes, distance)
    return _rows(tasks, places, found)


def _rows(tasks: Tasks, places: np.ndarray, found: RetrievalScores) -> list[UnitScore]:
    assert tasks.queries is not None
    # [Q, 3, 2 (1 + K)]: the mean over pool sizes and each of them, both ways.
    both = [[part.mean(axis=-1, keepdims=True), part] for part in (found.reference, found.tie_safe)]
    values = np.concatenate(both[0] + both[1], axis=-1).tolist()
    names = ["ap", *(f"{POOL}{size}" for size in tasks.pool_sizes)]
    names += [f"{name}{TIE_SAFE}" for name in names]
    rows = []
    for row, place in enumerate(places):
        number = int(tasks.queries.sequence[place])
        name, source, kind = tasks.names[number], tasks.sources[number], tasks.kinds[number]
        unit = str(int(tasks.queries.index[place]))
        for level, noise in enumerate(NOISES):
            metrics = dict(zip(names, values[row][level], strict=True))
            rows.append(UnitScore(TASK, noise, kind, name, source, unit, metrics))
    return rows

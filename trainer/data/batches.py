"""The S x K sampler: S points across image sequences, K patches of each.

A batch never holds two image sequences of one scene, because they show the same
physical points under different names. An epoch uses every point about once: points that fill up
its last batches come twice, and where S is near the most that a batch can hold
(`largest_batch`) some come more often and some not at all. Part of a
batch may come from one image sequence: its points look more alike than those of different
photographs, which makes harder negatives. What is drawn depends on (seed, epoch, batch)
alone, so that a sampler's state is three numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from trainer.core.config import StageConfig
from trainer.core.errors import UserError
from trainer.core.variants import NOISES, TARGETS, VARIANTS
from trainer.data.packing import PackedPatches

_EPOCH_STREAM, _VARIANT_STREAM = 0, 1
_MOST_PUT_OFF = 4  # in batches: bounds the work per batch where scenes are few


@dataclass(frozen=True)
class SamplerState:
    """Where a sampler stands: finished epochs, and batches drawn in this one."""

    seed: int
    epoch: int = 0
    position: int = 0


def variant_pool(noises: tuple[str, ...]) -> np.ndarray:
    """Returns the places, in `VARIANTS`, of the reference and of the noises' targets."""
    starts = [1 + NOISES.index(noise) * TARGETS for noise in sorted(noises, key=NOISES.index)]
    return np.array([0, *(start + k for start in starts for k in range(TARGETS))], np.int32)


def largest_batch(sequence: np.ndarray, scene: np.ndarray) -> int:
    """Most points a batch can hold: the largest image sequence of every scene."""
    if len(sequence) == 0:
        return 0
    largest = np.zeros(int(scene.max()) + 1, np.int64)
    counts = np.bincount(sequence)
    np.maximum.at(largest, scene, counts[sequence])
    return int(largest.sum())


def check_same_sequence_fraction(points: int, fraction: float, most: int) -> None:
    """Refuses a fraction of S that the largest image sequence, of `most` points, does not have."""
    wanted = round(fraction * points)
    if wanted > most:
        raise UserError(
            f"same_sequence_fraction is {fraction:g}, which wants {wanted} of {points} points "
            f"from one image sequence, but the largest of the training data holds "
            f"{most}; lower same_sequence_fraction or points_per_batch"
        )


def too_large(wanted: int, most: int, points: int, scenes: int) -> UserError:
    """Returns the refusal of an S of which the data have only `most`."""
    return UserError(
        f"points_per_batch is {wanted}, but the training data fills batches of at most "
        f"{most} ({points} points of {scenes} scenes, one image sequence of a scene "
        f"per batch); lower points_per_batch"
    )


def epoch_order(
    sequence: np.ndarray,
    scene: np.ndarray,
    size: int,
    seed: int,
    epoch: int,
    same_sequence: int = 0,
) -> np.ndarray:
    """Lays out an epoch.

    Every scene goes through its image sequences one after the other, from a random point on
    and at a pace that ends with the epoch; so only the few batches in which a scene changes
    from one image sequence to the next meet both, and those put the later points off to the
    next batch. What cannot be filled so is filled up with points of earlier batches.

    With `same_sequence` every batch begins with a block of points of one image sequence, taken out
    of the stream about where the stream comes to them. Where the image sequences are too small
    for so many whole blocks, the largest remainders serve instead.

    Args:
        sequence: int32 [N], image sequence of each point.
        scene: int32 [N], scene of each point.
        size: S.
        seed: Seed of the sampler.
        epoch: Number of the epoch.
        same_sequence: Points of a batch that come from one image sequence; 0: no such rule.

    Returns:
        int32 [batches, S], points without repetition within a batch. Points that no batch can
        hold (their image sequence is too small to fill one beside the others) are left out.
    """
    rng = np.random.default_rng([seed, _EPOCH_STREAM, epoch])
    stream = _stream(sequence, scene, rng)
    blocks: list[np.ndarray] = []
    if same_sequence:
        blocks, stream = _blocks(stream, sequence, size, same_sequence, rng)
    put_off = np.zeros(0, np.int64)
    start = 0
    rows = []
    while start < len(stream) or len(put_off) or blocks:
        pool = np.concatenate([blocks.pop(), put_off]) if blocks else put_off
        kept, rest = _split(pool, sequence, scene, size)
        while len(kept) < size and start < len(stream) and len(rest) < _MOST_PUT_OFF * size:
            take = size - len(kept)
            pool = np.concatenate([kept, rest, stream[start : start + take]])
            start += take
            kept, rest = _split(pool, sequence, scene, size)
        if len(kept) < size:
            kept = _filled_up(kept, sequence, scene, size, rng)
        put_off = rest
        if len(kept) == size:
            rows.append(kept)
    if not rows:  # S is near the most there is: only the largest image sequences fill a batch
        rows.append(_filled_up(np.zeros(0, np.int64), sequence, scene, size, rng))
    return np.array(rows, np.int32).reshape(-1, size)


def _stream(sequence: np.ndarray, scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns all points in the order in which the epoch comes to them."""
    count = len(sequence)
    order_of_sequence = rng.permutation(int(sequence.max()) + 1)
    shuffled = rng.permutation(count)
    by_scene = shuffled[np.lexsort((order_of_sequence[sequence[shuffled]], scene[shuffled]))]
    sizes = np.bincount(scene)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    owner = scene[by_scene]
    place = np.arange(count) - first[owner]
    turned = (place + rng.integers(sizes)[owner]) % sizes[owner]
    pace = (turned + rng.random(count)) / sizes[owner]
    return by_scene[np.argsort(pace, kind="stable")]


def _blocks(
    stream: np.ndarray, sequence: np.ndarray, size: int, count: int, rng: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray]:
    """Takes a block of points of one image sequence for every batch out of the stream.

    Args:
        stream: int64 [N], all points in the epoch's order.
        sequence: int32 [N], image sequence of each point.
        size: S.
        count: Points of a block, at most S.
        rng: Chooses among the blocks there could be.

    Returns:
        The blocks, the last batch's first, and the points left in the stream.
    """
    batches = -(-len(stream) // size)
    owner = sequence[stream]
    places = np.argsort(owner, kind="stable")  # each image sequence's points, as they come
    first = np.concatenate([[0], np.cumsum(np.bincount(owner))])
    begins = np.flatnonzero((np.arange(len(stream)) - first[owner[places]]) % count == 0)
    ends = np.append(begins[1:], len(stream))
    whole = np.flatnonzero(ends - begins == count)
    if len(whole) < batches:
        whole = np.argsort(begins - ends, kind="stable")[:batches]
    in_order = whole[np.argsort(places[begins[whole]])]
    # Evenly over the epoch, so that a block and the stream are at the same image sequence.
    steps = (np.arange(batches) + rng.random()) * len(in_order) / batches
    chosen = in_order[steps.astype(np.int64)]
    taken = [places[begins[block] : ends[block]] for block in chosen[::-1]]
    left = np.ones(len(stream), bool)
    left[np.concatenate(taken)] = False
    return [stream[block] for block in taken], stream[left]


def _split(
    pool: np.ndarray, sequence: np.ndarray, scene: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Splits points into those a batch may hold together (at most `size`) and the rest.

    The first point of a scene decides which of its image sequences the batch holds.
    """
    if len(pool) == 0:
        return pool, pool
    owners = scene[pool]
    first = np.empty(owners.max() + 1, np.int64)
    first[owners[::-1]] = np.arange(len(pool))[::-1]  # of those of a scene, the first one's stays
    fits = sequence[pool] == sequence[pool[first[owners]]]
    if fits.all():
        return pool[:size], pool[size:]
    fits &= np.cumsum(fits) <= size
    return pool[fits], pool[~fits]


def _filled_up(
    kept: np.ndarray,
    sequence: np.ndarray,
    scene: np.ndarray,
    size: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Adds points that may share the batch; returns fewer than `size` when there are not enough."""
    others = rng.permutation(len(sequence))
    others = others[~np.isin(others, kept)]
    # Of a scene that the batch does not hold yet, the largest image sequence is taken.
    counts = np.bincount(sequence)
    others = others[np.argsort(-counts[sequence[others]], kind="stable")]
    candidates = np.concatenate([kept, others])
    fitting, _ = _split(candidates, sequence, scene, len(candidates))
    extra = fitting[len(kept) :]
    return np.concatenate([kept, rng.permutation(extra)[: size - len(kept)]])


def _lowest(lots: np.ndarray, count: int) -> np.ndarray:
    """Returns the places of each row's lowest values, the lowest first, int64 [S, count].

    Args:
        lots: float32 [S, P], in 0..1; spoilt.
        count: K, at most P. It is small: sorting whole rows takes several times as long.
    """
    rows = np.arange(len(lots))
    places = np.empty((len(lots), count), np.int64)
    for number in range(count):
        places[:, number] = lots.argmin(axis=1)
        lots[rows, places[:, number]] = np.inf
    return places


@dataclass
class Sampler:
    """Draws batches from packed patches.

    Attributes:
        packed: Patches to draw from.
        points_per_batch: S.
        patches_per_point: K.
        noises: Levels the patches come from; the reference is always among them.
        state: Where it stands; put a saved state here to go on from it.
        same_sequence_fraction: Fraction of S from one image sequence, another one each batch.

    Example:
        >>> sampler = Sampler(packed, 64, 2, ("e", "h"), SamplerState(seed=1))  # doctest: +SKIP
        >>> next(sampler).shape  # doctest: +SKIP
        (128, 32, 32)
    """

    packed: PackedPatches
    points_per_batch: int
    patches_per_point: int
    noises: tuple[str, ...]
    state: SamplerState
    same_sequence_fraction: float = 0.0
    _order: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        most = largest_batch(self.packed.sequence, self.packed.scene)
        if self.points_per_batch > most:
            raise too_large(self.points_per_batch, most, len(self.packed), len(self.packed.scenes))
        largest = int(np.bincount(self.packed.sequence).max())
        check_same_sequence_fraction(self.points_per_batch, self.same_sequence_fraction, largest)
        pool = variant_pool(self.noises)
        if self.patches_per_point > len(pool):
            raise UserError(
                f"patches_per_point is {self.patches_per_point}, but the noises "
                f"{'+'.join(self.noises)} and the reference offer only {len(pool)}"
            )
        self._pool = pool
        self._order_of = (-1, -1)

    @classmethod
    def of(
        cls, packed: PackedPatches, stage: StageConfig, state: SamplerState, hosts: int = 1
    ) -> Sampler:
        """Returns the sampler of a stage, or of one host's part of it."""
        points = stage.points_per_batch // hosts
        fraction = stage.same_sequence_fraction
        return cls(packed, points, stage.patches_per_point, stage.noises, state, fraction)

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        """Returns the next batch, uint8 [S*K, 32, 32], the K of a point next to each other."""
        points, variants = self.draw()
        return self.packed.take(points, variants)

    def rows(self) -> np.ndarray:
        """Returns the next batch as rows int32 [S*K] of all patches, [N * 16, ...] of them."""
        points, variants = self.draw()
        return (points[:, None] * len(VARIANTS) + variants).ravel()

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the next batch's points int32 [S] and variants int32 [S, K]."""
        state = self.state
        order = self._epoch(state)
        if state.position >= len(order):
            state = SamplerState(state.seed, state.epoch + 1)
            order = self._epoch(state)
        rng = np.random.default_rng([state.seed, _VARIANT_STREAM, state.epoch, state.position])
        points = order[state.position]
        lots = rng.random((self.points_per_batch, len(self._pool)), dtype=np.float32)
        variants = self._pool[_lowest(lots, self.patches_per_point)]
        self.state = replace(state, position=state.position + 1)
        return points, variants

    def _epoch(self, state: SamplerState) -> np.ndarray:
        if self._order_of != (state.seed, state.epoch):
            self._order = epoch_order(
                self.packed.sequence,
                self.packed.scene,
                self.points_per_batch,
                state.seed,
                state.epoch,
                round(self.same_sequence_fraction * self.points_per_batch),
            )
            self._order_of = (state.seed, state.epoch)
        return self._order

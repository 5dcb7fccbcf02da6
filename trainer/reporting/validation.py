"""Which checkpoint is best: matching on the `val` split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from trainer.core.average_precision import average_precision
from trainer.core.config import ValidationConfig
from trainer.core.variants import NOISES, TARGETS, variant_index
from trainer.data.packing import PackedPatches
from trainer.model.patch_identity import MatchingRule
from trainer.reporting import matching_rule

Describe = Callable[[np.ndarray], np.ndarray]
_BATCH = 1024
_LEAST_POINTS = 10  # of an image sequence: among fewer, matching is no test


@dataclass(frozen=True)
class ValidationSet:
    """The patches a network is validated on.

    Attributes:
        patches: uint8 [n, 16, 32, 32] of each image sequence.
        names: The image sequences.
        indices: int32 [n] of each: numbers of the points in the image sequence.
    """

    patches: tuple[np.ndarray, ...]
    names: tuple[str, ...] = ()
    indices: tuple[np.ndarray, ...] = ()

    @classmethod
    def of(cls, packed: PackedPatches, config: ValidationConfig) -> ValidationSet:
        """Takes evenly spread points of the image sequences with two points or more.

        Of all of them, if that leaves each some points; else of evenly spread ones.
        """
        counts = np.bincount(packed.sequence, minlength=len(packed.sequences))
        usable = np.flatnonzero(counts >= 2)
        room = max(1, config.max_points // min(_LEAST_POINTS, config.points_per_sequence))
        if len(usable) > room:
            usable = usable[np.linspace(0, len(usable) - 1, room).round().astype(int)]
        most = max(2, min(config.points_per_sequence, config.max_points // max(1, len(usable))))
        chosen, names, indices = [], [], []
        for sequence in usable:
            rows, count = np.flatnonzero(packed.sequence == sequence), counts[sequence]
            places = np.linspace(0, count - 1, min(most, count)).round().astype(int)
            chosen.append(packed.take_all(rows[places]))
            names.append(packed.sequences[sequence])
            indices.append(packed.index[rows[places]])
        return cls(tuple(chosen), tuple(names), tuple(indices))

    def __bool__(self) -> bool:
        return bool(self.patches)

    def described(self, describe: Describe) -> np.ndarray:
        """Returns the descriptors float32 [N, D] of all patches, one after the other.

        Args:
            describe: From uint8 [1024, 32, 32] to float32 [1024, D] (short batches are
                filled up, so that it needs one trace).
        """
        flat = np.concatenate([part.reshape(-1, *part.shape[2:]) for part in self.patches])
        return _in_batches(describe, flat)

    def score(self, descriptors: np.ndarray) -> dict[str, float]:
        """Returns matching mAP for `e`, `h`, `t` and their `mean`, over image pairs.

        Args:
            descriptors: float32 [N, D] of all patches (`described`).
        """
        scores: dict[str, list[float]] = {noise: [] for noise in NOISES}
        for by_variant in self.by_sequence(descriptors):
            for noise in NOISES:
                for target in range(1, TARGETS + 1):
                    other = by_variant[variant_index(noise, target)]
                    scores[noise].append(matching_average_precision(by_variant[0], other))
        means = {noise: float(np.mean(values)) for noise, values in scores.items()}
        return {**means, "mean": float(np.mean(list(means.values())))}

    def by_sequence(self, descriptors: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the descriptors of each image sequence, float32 [16, n, D].

        Args:
            descriptors: float32 [N, D] of all patches (`described`).
        """
        start = 0
        for part in self.patches:
            count, variants = part.shape[:2]
            end = start + count * variants
            yield descriptors[start:end].reshape(count, variants, -1).transpose(1, 0, 2)
            start = end

    def matching_rule(self, describe: Describe) -> MatchingRule:
        """Returns the rule that suits the descriptors of these patches; empty without any.

        Args:
            describe: As in `described`.
        """
        if not self:
            return MatchingRule()
        parts = self.by_sequence(self.described(describe))
        return matching_rule.choose(dict(zip(self.names, parts, strict=True)))


def matching_average_precision(reference: np.ndarray, target: np.ndarray) -> float:
    """Average precision of matching two images' descriptors, row i being point i in both.

    Every reference descriptor is matched with its nearest neighbour; matches are ranked by
    distance, with as many positives as points (HPatches, matching task).

    Args:
        reference: float32 [N, D].
        target: float32 [N, D].

    Returns:
        0..1; NaN descriptors score 0.
    """
    reference, target = reference.astype(np.float64), target.astype(np.float64)
    if not (np.isfinite(reference).all() and np.isfinite(target).all()):
        return 0.0
    squares = (target**2).sum(1) - 2 * reference @ target.T
    nearest = squares.argmin(1)
    distance = np.linalg.norm(reference - target[nearest], axis=1)
    right = nearest == np.arange(len(nearest))
    return average_precision(-distance, right, len(right))


def _in_batches(describe: Describe, patches: np.ndarray) -> np.ndarray:
    parts = []
    for start in range(0, len(patches), _BATCH):
        part = patches[start : start + _BATCH]
        filled = np.zeros((_BATCH, *part.shape[1:]), part.dtype)
        filled[: len(part)] = part
        parts.append(np.asarray(describe(filled))[: len(part)])
    return np.concatenate(parts)

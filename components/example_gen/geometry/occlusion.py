"""Occluders: what stands before a point, or behind it, covers a part of its patch.

Photographs of things with depth show other surroundings of a point from each side: a region
reaches over the edge of what the point is on. Patches that are all made of one photograph
never show that, so a network learns to rely on the whole region, where it should on the middle.
"""

from __future__ import annotations

import numpy as np

_NEAREST, _FARTHEST = 0.2, 1.2  # of an occluder's edge from the centre, in half-widths


def occlude(patches: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Covers a side of some patches by what another point's patch shows there.

    Every patch of a point is drawn for on its own, so that two of them differ as two
    photographs of its surroundings do. The edge is straight, its direction random, and the
    centre stays.

    Args:
        patches: uint8 [N, V, h, h], the patches of N points.
        share: Of patches that are covered; a fifth of these by an edge beyond the patch's sides,
            which hides a corner at most.
        rng: Source of randomness.

    Returns:
        uint8 [N, V, h, h].
    """
    count, variants, side = patches.shape[:3]
    steps = np.linspace(-1, 1, side, dtype=np.float32)
    covered = np.empty_like(patches)
    for variant in range(variants):
        angle = rng.uniform(0, 2 * np.pi, (count, 1, 1)).astype(np.float32)
        edge = rng.uniform(_NEAREST, _FARTHEST, (count, 1, 1)).astype(np.float32)
        edge[rng.random(count) >= share] = np.inf
        beyond = steps * np.cos(angle) + steps[:, None] * np.sin(angle) > edge
        others = patches[rng.permutation(count), variant]
        covered[:, variant] = np.where(beyond, others, patches[:, variant])
    return covered

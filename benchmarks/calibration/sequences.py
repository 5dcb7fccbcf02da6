"""The 16 patches of each point of an image sequence, cut as HPatches' are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.calibration import disturbances
from benchmarks.calibration.cutting import cut
from components.example_gen.formats.content import LEAST_DEVIATION
from components.example_gen.geometry import frames, homography
from trainer.core.variants import NOISES, PATCH_SIZE, TARGETS, VARIANTS


def cut_sequence(
    pictures: Sequence[np.ndarray],
    matrices: Sequence[np.ndarray],
    squares: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Disturbs frames, projects them and cuts their patches.

    Points of which a patch leaves its image or has hardly any contrast are left out.

    Args:
        pictures: Reference and five targets, uint8 [height, width] each.
        matrices: Five float64 [3, 3], reference pixels to target pixels.
        squares: float64 [N, 3, 3], frames in the reference.
        rng: Source of randomness.

    Returns:
        uint8 [M, 16, 65, 65], in the order of `trainer.core.variants.VARIANTS`.
    """
    height, width = pictures[0].shape
    moved = [homography.facing(disturbances.misplaced(each), width, height) for each in matrices]
    disturbed = squares[:, None, None] @ disturbances.draw_all(len(squares), rng)
    projected = [moved[k] @ disturbed[:, :, k] for k in range(TARGETS)]
    whole = frames.inside(squares, width, height)
    for k, target in enumerate(pictures[1:]):
        whole &= frames.inside(projected[k], target.shape[1], target.shape[0]).all(1)
    kept = np.flatnonzero(whole)
    patches = np.empty((len(kept), len(VARIANTS), PATCH_SIZE, PATCH_SIZE), np.uint8)
    patches[:, 0] = cut(pictures[0], squares[kept])
    for k, target in enumerate(pictures[1:]):
        for n in range(len(NOISES)):
            patches[:, 1 + n * TARGETS + k] = cut(target, projected[k][kept, n])
    shown = np.stack([each.reshape(len(VARIANTS), -1).std(1).min() for each in patches])
    return patches[shown >= LEAST_DEVIATION]

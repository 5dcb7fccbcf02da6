"""Whether homographies fit their images: reference and easy patches must look alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from components.example_gen.formats.base import PatchSet
from components.example_gen.geometry import homography
from trainer.core.errors import UserError
from trainer.core.variants import TARGETS

# Medians of real sequences are .45 to .87, those of homographies that do not fit below .1.
LEAST_AGREEMENT = 0.2
_FITS = 0.4

Cut = Callable[[Sequence[np.ndarray]], PatchSet]
"""Cuts some patches of the sequence by five homographies, float64 [3, 3] each."""


def agreement(patches: np.ndarray) -> np.ndarray:
    """Correlates the easy patches of each target with those of the reference.

    Args:
        patches: uint8 [N, 16, 65, 65], in the order of `trainer.core.variants.VARIANTS`.

    Returns:
        float64 [5], medians over the points of the normalised cross-correlation.
    """
    reference = _normalised(patches[:, 0])
    return np.array(
        [
            np.median(np.sum(reference * _normalised(patches[:, 1 + target]), axis=1))
            for target in range(TARGETS)
        ]
    )


def check(
    patch_set: PatchSet, paths: Sequence[str], matrices: Sequence[np.ndarray], cut: Cut
) -> None:
    """Refuses a sequence whose reference and easy patches hardly agree.

    Args:
        patch_set: Patches of the sequence.
        paths: Files of the five homographies.
        matrices: Homographies in the files, float64 [3, 3] each.
        cut: Cuts patches of the same sequence by other homographies.

    Raises:
        UserError: When they hardly agree; it says what would fit.
    """
    agreed = agreement(patch_set.patches)
    wrong = [target for target in range(TARGETS) if not agreed[target] >= LEAST_AGREEMENT]
    if not wrong:
        return
    worst = min(wrong, key=lambda target: agreed[target])
    raise UserError(
        f"{paths[worst]}: does not fit: reference patches and those of image {worst + 2} have a "
        f"correlation of {agreed[worst]:.2f} (median), expected at least {LEAST_AGREEMENT}"
        f"{_others(wrong, worst)}; {_advice(wrong, matrices, cut)}"
    )


def _others(wrong: Sequence[int], worst: int) -> str:
    others = [str(target + 2) for target in wrong if target != worst]
    return f" (so it is for image {', '.join(others)}, too)" if others else ""


def _advice(wrong: Sequence[int], matrices: Sequence[np.ndarray], cut: Cut) -> str:
    """Says which other homographies fit the targets whose own ones do not."""
    inverse = {target: np.linalg.inv(matrices[target]) for target in wrong}
    if _agreement_with(inverse, matrices, cut) >= _FITS:
        return "the inverse fits: H_1_k maps pixels of image 1 to pixels of image k, so invert it"
    scores = {}
    for ratio in homography.RATIOS:
        scaled = {target: homography.rescaled(matrices[target], ratio) for target in wrong}
        scores[ratio] = _agreement_with(scaled, matrices, cut)
    best = max(scores, key=lambda ratio: scores[ratio])
    if scores[best] >= _FITS:
        return (
            f"it fits images {1 / best:.3g} times as large: scale the images, or the matrix to "
            f"diag({best:.3g}, {best:.3g}, 1) H diag({1 / best:.3g}, {1 / best:.3g}, 1)"
        )
    return (
        "neither the inverse nor a scaled one fits: check that the file belongs to these images "
        "(data.check_homographies: false takes images of different kinds as they are)"
    )


def _agreement_with(
    others: dict[int, np.ndarray], matrices: Sequence[np.ndarray], cut: Cut
) -> float:
    """Returns the least agreement of the targets that get another homography."""
    try:
        patches = cut([others.get(target, matrices[target]) for target in range(TARGETS)]).patches
    except UserError:  # no point stays inside all images
        return -1.0
    return float(agreement(patches)[list(others)].min())


def _normalised(patches: np.ndarray) -> np.ndarray:
    rows = patches.reshape(len(patches), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)

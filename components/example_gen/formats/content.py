"""Leaves out points of which a patch shows hardly anything, and names targets that do so.

Source: HPatches leaves out patches of a standard deviation below 5 grey levels (its authors'
extraction code; Balntas et al., CVPR 2017, do not print it).
"""

from __future__ import annotations

import numpy as np

from trainer.core.errors import UserError
from trainer.core.variants import NOISES, TARGETS, variant_index

LEAST_DEVIATION = 5.0  # grey levels of 255
_MOST = 0.5  # share of the points


def choose(
    name: str, patches: np.ndarray, made: bool = False
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Chooses the points all of whose patches have content.

    Args:
        name: Image sequence, for the sentences.
        patches: uint8 [N, 16, h, w], in the order of `trainer.core.variants.VARIANTS`.
        made: The targets were made of one photograph: nobody can replace one of them, so none
            is named.

    Returns:
        bool [N], and a sentence for each target that loses most of the points.

    Raises:
        UserError: When no point is left; it names such targets, too.
    """
    shown = _deviations(patches) >= LEAST_DEVIATION
    remarks = () if made else tuple(_grey_targets(name, shown))
    chosen = shown.all(axis=1)
    if len(chosen) and not chosen.any():
        what = f"{name}: patches of all {len(chosen)} points are nearly one grey"
        raise UserError(
            f"{remarks[0] if remarks else what}; no point is left, expected patches with a "
            f"standard deviation of at least {LEAST_DEVIATION:g} of 255 grey levels: take images "
            f"of more contrast, or leave the sequence out"
        )
    return chosen, remarks


def _deviations(patches: np.ndarray) -> np.ndarray:
    """Standard deviation of each patch in grey levels, float32 [N, 16]."""
    flat = patches.reshape(*patches.shape[:2], -1)
    per_variant = [flat[:, v].astype(np.float32).std(axis=1) for v in range(flat.shape[1])]
    return np.stack(per_variant, axis=1)


def _grey_targets(name: str, shown: np.ndarray) -> list[str]:
    """Names the targets that are flat at most points where the reference is not."""
    remarks = []
    for target in range(1, TARGETS + 1):
        variants = [variant_index(noise, target) for noise in NOISES]
        lost = int((shown[:, 0] & ~shown[:, variants].all(axis=1)).sum())
        if lost > _MOST * len(shown):
            remarks.append(
                f"{name}: image {target + 1} is nearly one grey at {lost} of {len(shown)} points, "
                f"which are left out for it"
            )
    return remarks

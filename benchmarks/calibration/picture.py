"""Official patches beside those that are cut here, for people to compare."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt

from trainer.core.variants import NOISE_NAMES, NOISES, PATCH_SIZE, TARGETS, VARIANTS

_GAP = 3  # pixels between patches


def draw(blocks: dict[str, np.ndarray], path: str | Path) -> None:
    """Draws blocks of patches, one below the other.

    Args:
        blocks: By title, uint8 [rows, columns, 65, 65]; sixteen columns are a point's variants.
        path: PNG that is written; its folder is made.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "a" / "patches.png"
        >>> draw({"grey": np.full((2, 16, 65, 65), 128, np.uint8)}, target)
        >>> target.stat().st_size > 0
        True
    """
    heights = [len(patches) for patches in blocks.values()]
    figure, axes = plt.subplots(
        len(blocks), 1, figsize=(12, 0.78 * sum(heights) + 0.6 * len(blocks)),
        height_ratios=heights, squeeze=False, layout="constrained",
    )  # fmt: skip
    for place, (title, patches) in zip(axes[:, 0], blocks.items(), strict=True):
        place.imshow(tiled(patches), cmap="gray", vmin=0, vmax=255)
        place.set_title(title, fontsize=10, loc="left")
        place.set_yticks([])
        shown = VARIANTS if patches.shape[1] == len(VARIANTS) else ()
        middles = (PATCH_SIZE + _GAP) * np.arange(len(shown)) + PATCH_SIZE / 2
        place.set_xticks(middles, [_label(name) for name in shown], fontsize=7)
        place.tick_params(length=0)
        place.spines[:].set_visible(False)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def tiled(patches: np.ndarray) -> np.ndarray:
    """Lays patches uint8 [R, C, h, w] out as one picture, with white between them."""
    rows, columns, height, width = patches.shape
    tall, wide = height + _GAP, width + _GAP
    picture = np.full((rows * tall - _GAP, columns * wide - _GAP), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * tall, column * wide
            picture[top : top + height, left : left + width] = patches[row, column]
    return picture


def _label(variant: str) -> str:
    """Returns what a variant (`ref`, `e1`) is, in words."""
    names = {f"{n}{k}": f"{NOISE_NAMES[n]} {k}" for n in NOISES for k in range(1, TARGETS + 1)}
    return names.get(variant, "reference")

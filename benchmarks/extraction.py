"""Cutting patches: all of an image in a few remaps, against one warp per patch."""

from __future__ import annotations

import time

import cv2
import numpy as np
from rich.table import Table

from components.example_gen.geometry.patches import ImageSampler
from trainer.core.variants import PATCH_SIZE

PATCHES = 4000
ROUNDS = 5


def run(work: str) -> Table:
    """Returns patches per second of both ways, on the same frames, alternating."""
    del work
    random = np.random.default_rng(0)
    image = cv2.resize(
        random.integers(0, 256, (120, 160), dtype=np.uint8),
        (640, 480),
        interpolation=cv2.INTER_CUBIC,
    )
    matrices = _frames(random)
    seconds: dict[str, list[float]] = {"one warp per patch": [], "ours": []}
    for _ in range(ROUNDS):
        for name, cut in (("one warp per patch", _one_by_one), ("ours", _together)):
            begin = time.perf_counter()
            cut(image, matrices)
            seconds[name].append(time.perf_counter() - begin)
    peer = float(np.median(seconds["one warp per patch"]))
    table = Table(title=f"{PATCHES} patches of 65 x 65, median of {ROUNDS}")
    for column in ("way", "patches/s", "ratio"):
        table.add_column(column, justify="right" if column != "way" else "left")
    for name, values in seconds.items():
        median = float(np.median(values))
        table.add_row(name, f"{PATCHES / median:,.0f}", f"{peer / median:.2f}")
    return table


def _frames(random: np.random.Generator) -> np.ndarray:
    """Frames of 20 to 130 px, turned at random, inside a 640 x 480 image."""
    angle = random.uniform(0, 2 * np.pi, PATCHES)
    radius = np.exp(random.uniform(np.log(10), np.log(65), PATCHES))
    matrices = np.zeros((PATCHES, 3, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = radius * np.cos(angle)
    matrices[:, 1, 0] = radius * np.sin(angle)
    matrices[:, 0, 1] = -matrices[:, 1, 0]
    matrices[:, 0, 2] = random.uniform(100, 540, PATCHES)
    matrices[:, 1, 2] = random.uniform(100, 380, PATCHES)
    matrices[:, 2, 2] = 1
    return matrices


def _together(image: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    return ImageSampler(image).sample(matrices)


def _one_by_one(image: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """What a straightforward extractor does: one warp each, without anti-aliasing.

    Args:
        image: uint8 [H, W].
        matrices: float64 [N, 3, 3], from the patch's square [-1, 1]^2 to pixels of the image.

    Returns:
        uint8 [N, 65, 65].
    """
    to_unit = np.array(
        [
            [2 / PATCH_SIZE, 0, 1 / PATCH_SIZE - 1],
            [0, 2 / PATCH_SIZE, 1 / PATCH_SIZE - 1],
            [0, 0, 1],
        ]
    )
    patches = np.empty((len(matrices), PATCH_SIZE, PATCH_SIZE), np.uint8)
    for number, matrix in enumerate(matrices):
        cv2.warpPerspective(
            image,
            matrix @ to_unit,
            (PATCH_SIZE, PATCH_SIZE),
            dst=patches[number],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return patches

"""Small pictures and folders that the tests of this package work on."""

from pathlib import Path

import cv2
import numpy as np

from components.example_gen.formats import images
from trainer.core.variants import VARIANTS

SHIFT = np.array([[1.0, 0, 6], [0, 1, 4], [0, 0, 1]])


def texture(width: int = 200, height: int = 160, seed: int = 0) -> np.ndarray:
    """Blobs and blocks of several sizes: uint8 [height, width]."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for side in (5, 9, 17, 40):
        coarse = rng.standard_normal((height // side + 2, width // side + 2)).astype(np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 35 * total, 0, 255).astype(np.uint8)


def write_sequence(folder: Path, suffix: str = "ppm", seed: int = 0) -> Path:
    """Writes an image sequence whose targets are the reference, moved by `SHIFT`."""
    folder.mkdir(parents=True)
    reference = texture(seed=seed)
    if suffix == "ppm":  # holds colour only
        reference = cv2.cvtColor(reference, cv2.COLOR_GRAY2BGR)
    cv2.imwrite(str(folder / f"1.{suffix}"), reference)
    moved = cv2.warpPerspective(reference, SHIFT, (210, 170))
    for k in range(2, 7):
        cv2.imwrite(str(folder / f"{k}.{suffix}"), moved)
        np.savetxt(folder / f"H_1_{k}", SHIFT)
    return folder


def write_strips(folder: Path, count: int = 3, seed: int = 0) -> Path:
    """Writes the 16 strips of an image sequence with random pixels."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for variant in VARIANTS:
        pixels = rng.integers(0, 256, (65 * count, 65), np.uint8)
        (folder / f"{variant}.png").write_bytes(images.encode_png(pixels))
    return folder

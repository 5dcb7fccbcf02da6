"""Tiny PhotoTour sets in the published format."""

from pathlib import Path

import cv2
import numpy as np

SIDE, ACROSS = 64, 16


def points_of(count: int) -> np.ndarray:
    """Two patches in a row show the same 3-D point."""
    return np.arange(count) // 2


def patches_of(count: int, noise: float = 6.0, seed: int = 0) -> np.ndarray:
    """Smooth random patches, uint8 [count, 64, 64]; those of one point differ by noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(30, 225, (count // 2 + 1, 7, 7)).astype(np.float32)
    size = (SIDE, SIDE)
    clean = [cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC) for grid in coarse]
    noisy = np.stack(clean)[points_of(count)] + rng.normal(0, noise, (count, SIDE, SIDE))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def write(folder: Path, count: int = 300, **changes) -> np.ndarray:
    """Writes a set with its pairs; returns the patches."""
    folder.mkdir(parents=True, exist_ok=True)
    patches, points = patches_of(count, **changes), points_of(count)
    per_sheet = ACROSS * ACROSS
    for number in range(-(-count // per_sheet)):
        sheet = np.zeros((per_sheet, SIDE, SIDE), np.uint8)
        part = patches[number * per_sheet : (number + 1) * per_sheet]
        sheet[: len(part)] = part
        rows = sheet.reshape(ACROSS, ACROSS, SIDE, SIDE).swapaxes(1, 2)
        pixels = np.ascontiguousarray(rows.reshape(ACROSS * SIDE, ACROSS * SIDE))
        cv2.imwrite(str(folder / f"patches{number:04d}.bmp"), pixels)
    (folder / "info.txt").write_text("".join(f"{point} 0\n" for point in points))
    lines = []
    for first in range(0, count - 1, 2):
        for second in (first + 1, (first + 7) % count):
            lines.append(f"{first} {points[first]} 0 {second} {points[second]} 0 0\n")
    (folder / "m50_150_150_0.txt").write_text("".join(lines))
    return patches

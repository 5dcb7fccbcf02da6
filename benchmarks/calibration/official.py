"""What is at hand of HPatches: v_graffiti's reference strip and frames, and published AP."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np

from components.example_gen.formats.images import read_grey
from components.example_gen.geometry import frames
from trainer.core.errors import UserError
from trainer.core.variants import NOISES, PATCH_SIZE, VARIANTS

STRIP_OF = "v_graffiti"


def root() -> Path:
    """Returns the folder of shared data.

    Raises:
        UserError: When it is not there.
    """
    folder = Path(os.environ.get("HPATCHES_SHARED", "../shared")) / "data"
    for part in ("hpatches", "sequences"):
        if not (folder / part).is_dir():
            raise UserError(f"{folder / part}: is missing (set HPATCHES_SHARED to where it is)")
    return folder


def reference_patches(folder: Path) -> np.ndarray:
    """Reads the official reference patches of v_graffiti, uint8 [1123, 65, 65]."""
    strip = read_grey(str(folder / "hpatches" / "ref.png"))
    return strip.reshape(-1, PATCH_SIZE, PATCH_SIZE)


def whole_points(folder: Path) -> np.ndarray:
    """Reads all official patches of four points of an image that is not here.

    Returns:
        uint8 [4, 16, 65, 65], in the order of `trainer.core.variants.VARIANTS`.
    """
    picture = read_grey(str(folder / "hpatches" / "official_patches_of_4_points.png"))
    tiles = picture.reshape(-1, PATCH_SIZE, len(VARIANTS), PATCH_SIZE)
    return tiles.swapaxes(1, 2)


def reference_frames(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads where the official patches were cut.

    Returns:
        int64 [1088], places in the strip of those that were found, and their frames,
        float64 [1088, 3, 3], half-width coordinates to pixels.
    """
    with (folder / "hpatches" / "v_graffiti_frames.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["x"]]
    values = np.array([[float(row[k]) for k in ("x", "y", "half_width")] for row in rows])
    angles = np.deg2rad([float(row["angle_deg"]) for row in rows])
    places = np.array([int(row["index"]) for row in rows])
    return places, frames.from_detections(values, angles, 1.0)


def published(folder: Path, method: str, sequence: str) -> np.ndarray:
    """Reads published matching AP in per cent, float64 [3 noises, 5 targets]."""
    content = json.loads((folder / "hpatches" / "published_results.json").read_text())
    scores = content[method]["full"]["matching"][sequence]
    return 100 * np.array([scores[noise] for noise in NOISES])


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the correlation of the pixels of each pair of patches, float64 [N].

    Args:
        first: [N, h, w].
        second: [N, h, w].

    Example:
        >>> patch = np.arange(4.0).reshape(1, 2, 2)
        >>> correlations(patch, 3 - patch)
        array([-1.])
    """
    a, b = (each.reshape(len(each), -1).astype(np.float64) for each in (first, second))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    return (a * b).sum(1) / np.sqrt(np.maximum((a * a).sum(1) * (b * b).sum(1), 1e-12))

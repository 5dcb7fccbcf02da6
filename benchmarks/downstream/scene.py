"""The photographs of a castle, and how their cameras stood.

The focal length and the principal point are known (the README beside the photographs); the
poses and the radial distortion are COLMAP's with 8,192 of its own SIFT features a photograph,
kept in `benchmarks/results/castle_cameras.json`. They are none of the descriptors' that are
compared here.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from components.matching import photograph
from components.matching.photograph import Photograph
from trainer.core.errors import UserError

FOCAL_LENGTH, CENTRE = 1452.94, (708.0, 532.0)  # pixels, the corner of the first one at (0, 0)
SIFT_FEATURES = 8192
CAMERAS = Path(__file__).resolve().parents[1] / "results" / "castle_cameras.json"
_UNDISTORTIONS = 20  # each step brings it nearer by ten


@dataclass(frozen=True)
class Scene:
    """Photographs of one place.

    Attributes:
        folder: Of the photographs.
        names: Names of their files.
        distortion: Coefficient k of the radial distortion, x (1 + k r^2).
        poses: float64 [P, 3, 4], from the world to the camera.
    """

    folder: str
    names: tuple[str, ...]
    distortion: float
    poses: np.ndarray

    @cached_property
    def photographs(self) -> tuple[Photograph, ...]:
        """The photographs at full size."""
        return tuple(photograph.read(f"{self.folder}/{name}", 1 << 20) for name in self.names)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yields the pairs of photographs."""
        return itertools.combinations(range(len(self.names)), 2)

    def epipolar_errors(self, pair: tuple[int, int], places: np.ndarray) -> np.ndarray:
        """Returns how far matches are off the other's epipolar line, the larger of both.

        Args:
            pair: Two photographs.
            places: float [2, M, 2], matched places in them, pixels; the centre of the first
                pixel is (0, 0).

        Returns:
            float64 [M] in pixels without distortion.
        """
        first, second = self.poses[list(pair)]
        turn = second[:, :3] @ first[:, :3].T
        x, y, z = second[:, 3] - turn @ first[:, 3]
        essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ turn
        a, b = (self.rays(points) for points in places)
        product = np.abs(np.einsum("mi,ij,mj->m", b, essential, a))
        lines = a @ essential.T, b @ essential
        shortest = np.minimum(*(np.hypot(line[:, 0], line[:, 1]) for line in lines))
        return FOCAL_LENGTH * product / shortest

    def rays(self, points: np.ndarray) -> np.ndarray:
        """Returns the directions of pixels from the camera, float64 [M, 3], their depth 1."""
        distorted = (points.astype(np.float64) + 0.5 - CENTRE) / FOCAL_LENGTH
        straight = distorted
        for _ in range(_UNDISTORTIONS):
            radius = (straight**2).sum(axis=1, keepdims=True)
            straight = distorted / (1 + self.distortion * radius)
        return np.hstack([straight, np.ones((len(straight), 1))])


def folder() -> Path:
    """Returns the folder of the photographs.

    Raises:
        UserError: When it is not there.
    """
    place = Path(os.environ.get("HPATCHES_SHARED", "../shared")) / "data" / "scene" / "images"
    if not place.is_dir():
        raise UserError(f"{place}: is missing (set HPATCHES_SHARED to where it is)")
    return place


def load() -> Scene:
    """Returns the castle with its cameras.

    Raises:
        UserError: When the photographs are not there.
    """
    content: dict[str, Any] = json.loads(CAMERAS.read_text())
    cameras = content["cameras"]
    names = tuple(sorted(cameras))
    poses = np.array([cameras[name] for name in names])
    return Scene(str(folder()), names, content["distortion"], poses)

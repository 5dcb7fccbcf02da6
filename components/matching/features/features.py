"""Features of a photograph, and what every file of them says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from components.matching.features.cameras import Camera


@dataclass(frozen=True)
class Features:
    """Described points of a photograph, the strongest first.

    Attributes:
        name: Of the photograph, with forward slashes, below the folder that was given.
        camera: That took it.
        positions: float32 [N, 3]: x, y and sigma in pixels of the file as it is stored (not
            turned as its EXIF data say); the centre of its first pixel is (0, 0).
        angles: float32 [N], from the x-axis towards the y-axis (downwards) in radians.
        scores: float32 [N], strength of the points.
        descriptors: float32 [N, D].
    """

    name: str
    camera: Camera
    positions: np.ndarray
    angles: np.ndarray
    scores: np.ndarray
    descriptors: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)


Add = Callable[[Features], None]
"""Adds a photograph to a file; an error of type UserError refuses all."""

Writer = Callable[[str, dict[str, Any]], AbstractContextManager[Add]]
"""Opens a new file, with what it says of the descriptor; whole or not there in the end."""


class Store(Protocol):
    """A file of features that is read.

    Attributes:
        path: The file.
        identity: What it says of the descriptor; empty of a file from elsewhere.
        counts: Number of points by photograph.
    """

    path: str
    identity: dict[str, Any]
    counts: dict[str, int]

    def descriptors(self, name: str) -> np.ndarray:
        """Returns a photograph's descriptors, float32 [N, D]."""

    def close(self) -> None:
        """Closes the file."""

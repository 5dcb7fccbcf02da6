"""A photograph at the size at which it is matched."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from components.example_gen.formats import images
from components.example_gen.geometry import homography


@dataclass(frozen=True)
class Photograph:
    """A photograph, shrunk if it is large.

    Attributes:
        path: File it was read from.
        image: uint8 [height, width], as it is matched.
        full_size: Width and height of the file in pixels.
    """

    path: str
    image: np.ndarray
    full_size: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as it is matched."""
        height, width = self.image.shape
        return width, height

    @property
    def to_full(self) -> np.ndarray:
        """From pixels as matched to pixels of the file, float64 [3, 3]."""
        return homography.rescaling(np.array(self.full_size) / self.size)


def read(path: str, max_side: int) -> Photograph:
    """Reads a photograph.

    Args:
        path: Image file, local or remote.
        max_side: A longer one is shrunk, by area averages, until its longer side has so
            many pixels.

    Raises:
        UserError: When it cannot be decoded.
    """
    return shrunk(path, images.read_grey(path), max_side)


def shrunk(path: str, image: np.ndarray, max_side: int) -> Photograph:
    """Does what `read` does with an image uint8 [height, width] that has been read."""
    height, width = image.shape
    factor = max_side / max(width, height)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return Photograph(path, image, (width, height))


def to_matched_size(matrix: np.ndarray, first: Photograph, second: Photograph) -> np.ndarray:
    """Turns a homography between two files into one between the photographs as matched.

    Args:
        matrix: float64 [3, 3], from pixels of the first file to pixels of the second.
        first: Photograph that it starts from.
        second: Photograph that it leads to.

    Returns:
        float64 [3, 3], of any scale.
    """
    return np.linalg.inv(second.to_full) @ matrix @ first.to_full


def to_full_size(matrix: np.ndarray, first: Photograph, second: Photograph) -> np.ndarray:
    """Turns a homography between the photographs as matched into one between the files.

    Returns:
        float64 [3, 3], the last number 1 where it is not 0.
    """
    result = second.to_full @ matrix @ np.linalg.inv(first.to_full)
    return result / (result[2, 2] or 1.0)

"""Features of a photograph, and what every file of them says."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from pydantic import ValidationError

from components.matching.features.cameras import Camera
from trainer.core.errors import UserError
from trainer.model import patch_identity


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


@contextlib.contextmanager
def told_damaged(path: str, kind: str) -> Iterator[None]:
    """Turns what a library says of a file that it cannot read into one sentence.

    Raises:
        UserError: In place of any other exception; h5py, NumPy and SQLite raise many kinds.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(
            f"{path}: cannot be read as {kind} ({why}); write it anew with `hpatches features`"
        ) from error


def read_identity(path: str, text: Any) -> dict[str, Any]:
    """Returns what a file says of its descriptor.

    Args:
        path: The file.
        text: JSON, or None of a file from elsewhere.

    Raises:
        UserError: When it is no JSON object, or its matching rule is none.
    """
    try:
        identity = {} if text is None else json.loads(text)
        if not isinstance(identity, dict):
            raise ValueError("no object")
        patch_identity.read_matching(identity)
    except (ValueError, TypeError, ValidationError) as error:
        raise UserError(
            f"{path}: does not say in JSON what described it; write it anew with "
            f"`hpatches features`"
        ) from error
    return identity


def checked(path: str, name: str, values: Any, count: int) -> np.ndarray:
    """Returns descriptors that were read, float32 [N, D].

    Args:
        path: File they were read from.
        name: The photograph.
        values: What was read.
        count: Number of its keypoints.

    Raises:
        UserError: When there is not one row of numbers for each keypoint.
    """
    array = np.asarray(values)
    good = array.ndim == 2 and len(array) == count and array.dtype.kind in "fiu"
    if not good or not (array.shape[1] or not count):
        raise UserError(
            f"{path}: {name} has descriptors of shape {array.shape} and type {array.dtype}, "
            f"expected one row of numbers for each of {count} keypoints"
        )
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32)

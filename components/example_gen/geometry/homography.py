"""Plane-to-plane maps: reading, checking, projecting, and making them as a camera would."""

from __future__ import annotations

import math
import re

import numpy as np

from components.core import files
from trainer.core.errors import UserError

# Pixel coordinates near this size are brought to about 1 before a matrix is judged, so that
# units (pixels, 1/pixels) do not pass for bad conditioning.
_TYPICAL_PIXELS = 1000.0
_LARGEST_CONDITION = 1e9
# By how much homographies may have been estimated on larger or smaller images.
RATIOS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 4 / 3, 3 / 2, 2, 3, 4)
_COMMENT = re.compile(r"[#%].*")
_BETWEEN = str.maketrans(dict.fromkeys(",;[]()", " "))


def read(path: str) -> np.ndarray:
    """Reads a homography file of an HPatches sequence (`H_1_k`).

    Args:
        path: Text of three rows of three numbers, or of all nine in one row or column, between
            white space, commas, semicolons or brackets. Comments begin with `#` or `%`.

    Returns:
        float64 [3, 3], maps reference pixels to target pixels.

    Raises:
        UserError: When it is not 3x3, not numeric or singular.
    """
    plain = (_COMMENT.sub("", line) for line in files.read_text(path).splitlines())
    rows = [row for line in plain if (row := line.translate(_BETWEEN).split())]
    if [len(row) for row in rows] not in ([3, 3, 3], [9], [1] * 9):
        shape = f"{len(rows)} rows of {', '.join(str(len(row)) for row in rows)} numbers"
        raise UserError(f"{path}: holds {shape if rows else 'nothing'}, expected a 3x3 homography")
    try:
        matrix = np.array(rows, dtype=np.float64).reshape(3, 3)
    except ValueError as error:
        raise UserError(f"{path}: is not numeric ({error}), expected a 3x3 homography") from error
    if not np.isfinite(matrix).all():
        raise UserError(f"{path}: holds a number that is not finite, expected a 3x3 homography")
    scale = np.diag([1 / _TYPICAL_PIXELS, 1 / _TYPICAL_PIXELS, 1.0])
    values = np.linalg.svd(scale @ matrix @ np.linalg.inv(scale), compute_uv=False)
    if values[-1] * _LARGEST_CONDITION <= values[0]:
        raise UserError(f"{path}: the matrix is singular, expected an invertible homography")
    return matrix


def project(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps points, float64 [..., P, 2].

    Args:
        matrix: float64 [3, 3] or [..., 3, 3] broadcasting against the points' leading axes.
        points: float64 [..., P, 2].

    Example:
        >>> project(np.diag([2.0, 2.0, 1.0]), np.array([[1.0, 3.0]]))
        array([[2., 6.]])
    """
    homogeneous = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
    mapped = homogeneous @ np.swapaxes(matrix, -1, -2)
    return mapped[..., :2] / mapped[..., 2:]


def rescaling(ratio: np.ndarray) -> np.ndarray:
    """Returns the map between the pixel centres of one image at two resolutions.

    Args:
        ratio: float [2], by what width and height grow.

    Returns:
        float64 [3, 3], the matrix of x -> (x + 0.5) * ratio - 0.5 per axis.

    Example:
        >>> project(rescaling(np.array([2.0, 2.0])), np.array([[0.0, 1.0]]))
        array([[0.5, 2.5]])
    """
    x, y = ratio
    return np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5], [0, 0, 1]])


def rescaled(matrix: np.ndarray, ratio: float) -> np.ndarray:
    """Returns the homography between images that are `ratio` times as large, float64 [3, 3].

    Example:
        >>> rescaled(np.array([[1.0, 0, 5], [0, 1, 0], [0, 0, 1]]), 2)[0, 2]
        10.0
    """
    scale = np.diag([ratio, ratio, 1.0])
    return scale @ matrix @ np.linalg.inv(scale)


def facing(matrix: np.ndarray, width: int, height: int) -> np.ndarray:
    """Returns the matrix with the sign that makes the image centre lie before the camera.

    A homography is known up to a factor; with this sign, points of positive third
    coordinate are those that the target camera can see.
    """
    depth = matrix[2] @ np.array([(width - 1) / 2, (height - 1) / 2, 1.0])
    return -matrix if depth < 0 else matrix


def jacobian(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns the derivative of a projection at points, float64 [N, 2, 2].

    Args:
        matrix: float64 [3, 3] or [N, 3, 3].
        points: float64 [N, 2].
    """
    homogeneous = np.concatenate([points, np.ones_like(points[:, :1])], axis=1)
    mapped = np.einsum("...ij,nj->ni" if matrix.ndim == 2 else "nij,nj->ni", matrix, homogeneous)
    depth = mapped[:, 2, None, None]
    numerator = matrix[..., :2, :2] * depth - mapped[:, :2, None] * matrix[..., 2:3, :2]
    return numerator / depth**2


def viewpoint(
    width: int, height: int, tilt: float, azimuth: float, rotation: float, zoom: float
) -> np.ndarray:
    """Makes the homography of a camera that moves around a flat picture.

    The camera starts frontal, at a distance of the picture's diagonal and with a focal
    length of as many pixels.

    Args:
        width: Picture width in pixels.
        height: Picture height in pixels.
        tilt: Angle between optical axis and picture normal in radians, below pi/2.
        azimuth: Direction of the tilt in radians.
        rotation: Rotation about the optical axis in radians.
        zoom: Factor on the scale.

    Returns:
        float64 [3, 3], maps picture pixels to pixels about the origin.

    Source: Hartley and Zisserman, Multiple View Geometry, section 8.1.1 (scene plane Z=0).
    """
    focal = math.hypot(width, height)
    centre = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1.0]])
    lean = _about_z(azimuth) @ _about_x(tilt) @ _about_z(-azimuth)
    pose = _about_z(rotation) @ lean
    plane = np.column_stack([pose[:, 0], pose[:, 1], [0.0, 0.0, focal]])
    return np.diag([focal * zoom, focal * zoom, 1.0]) @ plane @ centre


def fit(matrix: np.ndarray, width: int, height: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Moves a homography so that the whole picture lands in the smallest possible frame.

    Args:
        matrix: float64 [3, 3], maps picture pixels to any pixels.
        width: Picture width in pixels.
        height: Picture height in pixels.

    Returns:
        float64 [3, 3] and the (width, height) of the target image.
    """
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], float)
    mapped = project(matrix, corners)
    low, high = np.floor(mapped.min(0)), np.ceil(mapped.max(0))
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1.0]])
    size = (high - low + 1).astype(int)
    return shift @ matrix, (int(size[0]), int(size[1]))


def _about_z(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def _about_x(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])

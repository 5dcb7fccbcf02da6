"""Measurement frames: from a detection to the squares that are cut out of images.

A frame is a matrix that maps half-width coordinates (the square [-1, 1] x [-1, 1], its
inscribed disc being the frame's ellipse) to image pixels. The x-axis of a frame points
along the dominant gradient.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

_CORNERS = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], np.float64).T
_DISC_POINTS = 2048


def from_detections(positions: np.ndarray, angles: np.ndarray, half_width: float) -> np.ndarray:
    """Returns the frames of detections, float64 [N, 3, 3].

    Args:
        positions: float [N, 3]: x, y, sigma in pixels.
        angles: float [N], orientation in radians.
        half_width: Half the side of the region in sigmas.
    """
    c, s = np.cos(angles), np.sin(angles)
    radius = half_width * positions[:, 2].astype(np.float64)
    frames = np.zeros((len(positions), 3, 3))
    frames[:, 0, 0], frames[:, 0, 1], frames[:, 0, 2] = radius * c, -radius * s, positions[:, 0]
    frames[:, 1, 0], frames[:, 1, 1], frames[:, 1, 2] = radius * s, radius * c, positions[:, 1]
    frames[:, 2, 2] = 1
    return frames


def positions(squares: np.ndarray, half_width: float) -> np.ndarray:
    """Returns the detections of frames, float32 [N, 3]: x, y, sigma in pixels.

    Args:
        squares: float64 [N, 3, 3], as `from_detections` returns them.
        half_width: Half the side of the region in sigmas.
    """
    sigma = np.hypot(squares[:, 0, 0], squares[:, 1, 0]) / half_width
    return np.column_stack([squares[:, 0, 2], squares[:, 1, 2], sigma]).astype(np.float32)


def overlaps(jitters: np.ndarray) -> np.ndarray:
    """Returns the ellipse overlap (intersection over union) with the undisturbed frame.

    The intersection is counted on 2048 evenly spread points of the disturbed ellipse; the
    error is about 0.001.

    Args:
        jitters: float64 [N, 3, 3], as `disturbances.draw` returns them.

    Returns:
        float64 [N], 0..1.

    Example:
        >>> float(overlaps(np.eye(3)[None])[0])
        1.0
    """
    number = np.arange(_DISC_POINTS) + 0.5
    radius, angle = np.sqrt(number / _DISC_POINTS), number * np.pi * (3 - np.sqrt(5))
    disc = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.ones_like(radius)])
    mapped = jitters[:, :2] @ disc
    area = np.abs(np.linalg.det(jitters[:, :2, :2]))  # in units of the disc's area
    shared = ((mapped**2).sum(1) <= 1).mean(1) * area
    return shared / (1 + area - shared)


def inside(matrices: np.ndarray, width: int, height: int) -> np.ndarray:
    """Tells which squares lie wholly inside an image, and before its camera, bool [...].

    Args:
        matrices: float64 [..., 3, 3], half-width coordinates to pixels (projective).
        width: Image width in pixels.
        height: Image height in pixels.
    """
    corners = matrices @ _CORNERS
    depth = corners[..., 2, :]
    seen = (depth > 0).all(-1)
    safe = np.where(depth > 0, depth, 1)
    x, y = corners[..., 0, :] / safe, corners[..., 1, :] / safe
    fits = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return seen & fits.all(-1)


def discs_inside(positions: np.ndarray, half_width: float, width: int, height: int) -> np.ndarray:
    """Tells which regions can lie inside an image, whatever their orientation will be.

    Args:
        positions: float [N, 3]: x, y, sigma.
        half_width: Half the side of the region in sigmas.
        width: Image width in pixels.
        height: Image height in pixels.

    Returns:
        bool [N], whether the disc in the square is inside.
    """
    x, y, sigma = positions.T
    rim = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    return rim >= half_width * sigma


def take_turns(positions: np.ndarray, max_overlap: float, turn: np.ndarray) -> np.ndarray:
    """Chooses the one that comes first of detections whose discs overlap.

    Detections take turns; each stays unless its disc (radius sigma) overlaps that of one
    which has stayed. So no two that stay overlap, and each that goes overlaps one that
    stays.

    Args:
        positions: float [N, 3]: x, y, sigma.
        max_overlap: Largest intersection over union of two discs that stay.
        turn: int [N], a permutation of 0..N-1; the smallest comes first.

    Returns:
        int64 [M], sorted indices of those that stay.
    """
    count = len(positions)
    first, second = overlapping_pairs(positions.astype(np.float64), max_overlap)
    earlier = np.where(turn[first] < turn[second], first, second)
    later = first + second - earlier
    undecided = np.ones(count, bool)
    stays = np.zeros(count, bool)
    # Every round decides whoever has no undecided neighbour with an earlier turn: the
    # outcome of taking turns, in a few array operations.
    while undecided.any():
        waits = np.zeros(count, bool)
        waits[later[undecided[earlier]]] = True
        winners = undecided & ~waits
        stays |= winners
        undecided &= ~winners
        undecided[later[winners[earlier]]] = False
    return np.flatnonzero(stays)


def disc_overlap(distance: np.ndarray, radius: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the intersection over union of discs, float64 [N].

    Args:
        distance: float [N], between the centres.
        radius: float [N].
        other: float [N], radius of the other disc.

    Example:
        >>> float(disc_overlap(np.array([0.0]), np.array([1.0]), np.array([2.0]))[0])
        0.25
    """
    small, large = np.minimum(radius, other), np.maximum(radius, other)
    d = np.maximum(distance, 1e-12)
    cos_small = np.clip((d**2 + small**2 - large**2) / (2 * d * small), -1, 1)
    cos_large = np.clip((d**2 + large**2 - small**2) / (2 * d * large), -1, 1)
    kite = (-d + small + large) * (d + small - large) * (d - small + large) * (d + small + large)
    lens = (
        small**2 * np.arccos(cos_small)
        + large**2 * np.arccos(cos_large)
        - 0.5 * np.sqrt(np.maximum(kite, 0))
    )
    shared = np.where(d <= large - small, np.pi * small**2, np.where(d >= small + large, 0, lens))
    return shared / (np.pi * (small**2 + large**2) - shared)


def nearer_to_another(centres: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Tells which disturbed centres lie nearer to another point than to their own, bool [N, J].

    Args:
        centres: float [N, J, 2], disturbed centres of each point in the reference image.
        positions: float [N, 3]: x, y, sigma of the points.
    """
    nearest = cKDTree(positions[:, :2]).query(centres.reshape(-1, 2))[0].reshape(centres.shape[:2])
    own = np.linalg.norm(centres - positions[:, None, :2], axis=2)
    return nearest < own * (1 - 1e-9)


def overlapping_pairs(positions: np.ndarray, max_overlap: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pairs of discs that overlap more than allowed.

    Args:
        positions: float [N, 3]: x, y, radius.
        max_overlap: Largest intersection over union that is allowed.

    Returns:
        Their indices, first < second, int64 [P] each.
    """
    sigma = positions[:, 2]
    # Discs whose radii differ by more than sqrt(1/max_overlap) cannot overlap that much, so
    # neighbours are sought within bands of that width and between adjacent bands.
    band = np.floor(np.log(sigma) / (0.5 * np.log(1 / max_overlap))).astype(int)
    near = []
    for value in np.unique(band):
        members = np.flatnonzero((band == value) | (band == value + 1))
        reach = 2 * sigma[members].max()
        pairs = cKDTree(positions[members, :2]).query_pairs(reach, output_type="ndarray")
        near.append(members[pairs])
    pairs = np.unique(np.sort(np.concatenate([*near, np.empty((0, 2), int)]), axis=1), axis=0)
    first, second = pairs[:, 0].astype(int), pairs[:, 1].astype(int)
    distance = np.linalg.norm(positions[first, :2] - positions[second, :2], axis=1)
    much = disc_overlap(distance, sigma[first], sigma[second]) > max_overlap
    return first[much], second[much]

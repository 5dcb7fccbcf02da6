"""Descriptors of unit length as COLMAP's 128 bytes, which all of its matchers compare rightly.

COLMAP takes descriptors for SIFT's: no byte is negative and every vector has length 512. Its
brute-force and GPU matchers compare angles, `acos(x . y / 512^2)`, its other one distances. The
codes of `byte_codes` have their zero at 128, so that all of them point nearly the same way and
no match passes the ratio test.

Here descriptors are moved off zero along a direction in which none of them has a part. Of vectors
of constant length, dot products then order as those of the descriptors. With the offset at k
deviations of a coordinate, a Euclidean distance d becomes the angle

    2 asin(d / (2 sqrt(1 + k^2)))

which is so small (at most 0.65) that ratios of angles are ratios of distances: a threshold for
the ratio holds for both. COLMAP's largest distance, 0.7, keeps everything; `angle_of` converts.

The direction is that of equal bytes. Fewer than 128 numbers are spread over 128 bytes by a cosine
transform that leaves it out, and nothing is lost but the rounding; 128 numbers lose their mean.
Bytes are rounded so that their sum is the same for all, since an error along the offset would be
the largest part of a dot product.
"""

from __future__ import annotations

import math

import numpy as np

from trainer.core.errors import UserError

SIZE = 128  # bytes of a descriptor
LENGTH = 512.0
OFFSET = 3.0  # deviations of a coordinate; what lies farther below is clipped
_ROUNDS = 3  # of making up for what is clipped


def encode(descriptors: np.ndarray) -> np.ndarray:
    """Returns COLMAP's bytes, uint8 [N, 128].

    Args:
        descriptors: float32 [N, D] of unit length, D at most 128.

    Raises:
        UserError: When there are more than 128 numbers.
    """
    dimension = descriptors.shape[1]
    if dimension > SIZE:
        raise UserError(
            f"descriptors of {dimension} numbers do not go into COLMAP's {SIZE} bytes; write "
            f"matches instead, or train a model of at most {SIZE} numbers"
        )
    values = descriptors.astype(np.float64)
    if dimension < SIZE:
        values = values @ _spread(dimension)
    zero = LENGTH / math.sqrt(SIZE) * OFFSET / math.sqrt(1 + OFFSET**2)
    length = LENGTH / math.sqrt(1 + OFFSET**2)
    values = _of_length(values, length)
    for _ in range(_ROUNDS):
        values = _of_length(np.maximum(values, -zero), length)
    return _rounded(np.maximum(values + zero, 0), round(zero * SIZE))


def angle_of(distance: float) -> float:
    """Returns the angle in radians between the bytes of descriptors at a Euclidean distance.

    Example:
        >>> round(angle_of(2.0), 3)
        0.644
    """
    return 2 * math.asin(distance / 2 / math.sqrt(1 + OFFSET**2))


def _spread(dimension: int) -> np.ndarray:
    """Returns float64 [D, 128]: orthonormal cosines without the constant one, D under 128."""
    wave = np.arange(1, dimension + 1)[:, None]
    place = np.arange(SIZE)[None, :] + 0.5
    return np.cos(np.pi * wave * place / SIZE) * math.sqrt(2 / SIZE)


def _of_length(values: np.ndarray, length: float) -> np.ndarray:
    """Takes the mean out of every row and gives it a length; a row of zeros stays."""
    centred = values - values.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred * (length / np.maximum(norms, 1e-12))


def _rounded(values: np.ndarray, total: int) -> np.ndarray:
    """Rounds rows to uint8 so that each sums to `total`: up where the fraction is largest."""
    values = values * (total / values.sum(axis=1, keepdims=True))
    whole = np.floor(values)
    missing = np.round(total - whole.sum(axis=1, keepdims=True))
    rank = (whole - values).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return np.minimum(whole + (rank < missing), 255).astype(np.uint8)

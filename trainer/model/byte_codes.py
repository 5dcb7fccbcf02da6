"""Descriptors of unit length as bytes: a quarter of the memory, and integer distances.

A coordinate of a unit vector in D dimensions has deviation 1/sqrt(D). Four deviations to
either side of zero are spread over the 255 steps from 1 to 255, with zero at 128; what lies
beyond is clipped. The step is the same for all coordinates, so that distances between codes
are those between descriptors, in steps. What that costs in matching mAP is measured with
every evaluation (`matching_ap_uint8`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

ZERO = 128
_REACH = 4.0  # deviations


def step(dimension: int) -> float:
    """Returns the difference of two neighbouring codes, in the descriptor's units.

    Example:
        >>> round(step(128) * 127 * math.sqrt(128), 6)
        4.0
    """
    return _REACH / (127 * math.sqrt(dimension))


def encode(descriptors: tf.Tensor) -> tf.Tensor:
    """Returns uint8 [..., D] for descriptors of unit length, float32 [..., D]."""
    import tensorflow as tf  # takes ten seconds, which the functions on arrays do without

    steps = tf.round(descriptors / step(descriptors.shape[-1]))
    return tf.cast(tf.clip_by_value(steps + ZERO, 1, 255), tf.uint8)


def encode_array(descriptors: np.ndarray) -> np.ndarray:
    """Does to an array what `encode` does to a tensor."""
    steps = np.round(descriptors / np.float32(step(descriptors.shape[-1])))
    return np.clip(steps + ZERO, 1, 255).astype(np.uint8)


def decode_array(codes: np.ndarray) -> np.ndarray:
    """Returns float32 [..., D], equal to what was encoded to half a step where not clipped."""
    return (codes.astype(np.float32) - ZERO) * np.float32(step(codes.shape[-1]))


def describe_code(dimension: int) -> dict[str, Any]:
    """Returns what a program needs to know to read codes, as JSON."""
    return {"zero": ZERO, "step": step(dimension)}

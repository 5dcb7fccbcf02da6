"""What displaces target patches: jitter, and homographies applied one pixel off.

Jitter is drawn per patch. Its spreads are those of official patches (rms of 14 to 17 patches a
level, so known to about 17 %), times 0.9, 1 and 1.15 at e, h and t, which v_graffiti's published
figures ask for; see `docs/protocol.md`.

Beside it, official patches of one point share a displacement per target image, which grows with
the change of viewpoint. It is that of homographies applied to coordinates that are one pixel off
(counted from 1 in place of 0): on the official frames of v_graffiti this alone gives the published
AP of each of its targets within a few points. The sign is v_bark's; v_graffiti allows either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Jitter:
    """Root mean squares of a disturbance at one noise level, each drawn from a normal one.

    Attributes:
        rotation: Degrees.
        scale: Logarithm of the scale.
        stretch: Logarithm of the stretch along a random axis, and of the shrinkage across it; the
            ratio of both is the exponential of twice that.
        shift: Per axis, in half-widths.
    """

    rotation: float
    scale: float
    stretch: float
    shift: float


JITTERS = {
    "e": Jitter(8.55, 0.122, 0.107, 0.05),
    "h": Jitter(19.7, 0.195, 0.170, 0.05),
    "t": Jitter(25.8, 0.311, 0.213, 0.05),
}


def draw(count: int, jitter: Jitter, rng: np.random.Generator, factor: float = 1) -> np.ndarray:
    """Draws disturbances in half-width coordinates.

    Args:
        count: Number of disturbances.
        jitter: Their spread.
        rng: Source of randomness.
        factor: Factor for all spreads.

    Returns:
        float64 [count, 3, 3], affine; a disturbed frame is `frame @ disturbance`.
    """
    values = rng.standard_normal((5, count)) * factor
    turn = _rotations(np.deg2rad(jitter.rotation) * values[0])
    axis = _rotations(rng.uniform(0, np.pi, count))
    scale, stretch = np.exp(jitter.scale * values[1]), np.exp(jitter.stretch * values[2])
    diagonal = np.zeros((count, 2, 2))
    diagonal[:, 0, 0], diagonal[:, 1, 1] = scale * stretch, scale / stretch
    result = np.zeros((count, 3, 3))
    result[:, :2, :2] = turn @ axis @ diagonal @ np.swapaxes(axis, 1, 2)
    result[:, :2, 2] = jitter.shift * values[3:].T
    result[:, 2, 2] = 1
    return result


def misplaced(matrix: np.ndarray, offset: float) -> np.ndarray:
    """Returns what a homography becomes when coordinates are counted from another corner.

    Args:
        matrix: float64 [3, 3], reference pixels to target pixels.
        offset: What is added to both coordinates before, and subtracted after, in pixels.

    Example:
        >>> misplaced(np.diag([2.0, 2.0, 1.0]), -1)[:2, 2].tolist()
        [-1.0, -1.0]
    """
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = offset, -offset
    return back @ matrix @ there


def _rotations(angles: np.ndarray) -> np.ndarray:
    c, s = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)

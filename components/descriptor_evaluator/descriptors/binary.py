"""Binary descriptors: told from others, and brought to one number per bit.

Files hold them packed (eight bits to a number 0..255, as OpenCV computes them) or bit by bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trainer.core.errors import UserError

# Columns of 128, 256, 486 and 512 bits (BRIEF, ORB, AKAZE, BRISK and FREAK).
_PACKED_SIZES = (16, 32, 61, 64)
_BITS = ((0, 1), (-1, 1))  # as which number a bit is written


def to_bits(
    descriptors: Mapping[str, np.ndarray], name: str, packed: bool = True
) -> dict[str, np.ndarray]:
    """Brings binary descriptors to zeros and ones.

    Args:
        descriptors: float32 [16, N, D] by image sequence: bits (0 and 1, or -1 and 1), or
            packed bytes (0..255).
        name: What holds them, for the message.
        packed: Whether bytes are taken; of a model or a baseline they are something else.

    Returns:
        float32 [16, N, D] or [16, N, 8 D] of zeros and ones.

    Raises:
        UserError: When they are neither.
    """
    if any(all(np.isin(values, pair).all() for values in descriptors.values()) for pair in _BITS):
        return {key: (values > 0).astype(np.float32) for key, values in descriptors.items()}
    for key, values in descriptors.items():
        wrong = values[~_is_byte(values)] if packed else values[~np.isin(values, _BITS[0])]
        if wrong.size:
            expected = "bits (0 and 1) or packed bytes (0..255)" if packed else "bits (0 and 1)"
            raise UserError(
                f"--distance hamming: {name} describes {key} with the number {wrong[0]:g}, "
                f"expected {expected}; use another distance"
            )
    return {
        key: np.unpackbits(values.astype(np.uint8), axis=-1).astype(np.float32)
        for key, values in descriptors.items()
    }


def packed_notes(descriptors: Mapping[str, np.ndarray], name: str) -> list[str]:
    """Says of descriptors that look like packed bits how those are scored.

    Args:
        descriptors: float32 [16, N, D] by image sequence.
        name: What holds them.
    """
    size = next(iter(descriptors.values())).shape[-1]
    bytes_alone = size in _PACKED_SIZES and all(
        _is_byte(values).all() for values in descriptors.values()
    )
    if not bytes_alone or all((values <= 1).all() for values in descriptors.values()):
        return []
    return [
        f"{name}: {size} whole numbers 0..255 for each patch; if they are {8 * size} packed bits, "
        f"this distance is wrong for them: take --distance hamming, or write every bit as a number"
    ]


def _is_byte(values: np.ndarray) -> np.ndarray:
    return (values >= 0) & (values <= 255) & (values == np.trunc(values))  # NaN is none

"""ORB's binary descriptor at the centre of the patch, by OpenCV, upright.

Its 256 comparisons lie within 31 pixels, so the patch is shrunk to 32. Bits come out one by one:
the squared Euclidean distance between two of them is their Hamming distance.

Source: Rublee et al., ORB: an efficient alternative to SIFT or SURF, ICCV 2011.
"""

from __future__ import annotations

import cv2
import numpy as np

_SIDE = 32
_BYTES = 32


def orb(patches: np.ndarray) -> np.ndarray:
    """Describes uint8 [M, h, h], float32 [M, 256] of zeros and ones."""
    extractor = cv2.ORB_create(nlevels=1, edgeThreshold=0)  # type: ignore[attr-defined]
    centre = (_SIDE - 1) / 2
    keypoint = [cv2.KeyPoint(centre, centre, 31, 0.0)]
    packed = np.empty((len(patches), _BYTES), np.uint8)
    for place, patch in enumerate(patches):
        small = cv2.resize(patch, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        packed[place] = extractor.compute(small, keypoint)[1][0]
    return np.unpackbits(packed, axis=1).astype(np.float32)

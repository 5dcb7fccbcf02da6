"""Describes patches with OpenCV's contributed descriptors or kornia's; runs where they are.

python benchmarks/calibration/contributed_worker.py PATCHES.npy METHOD DESCRIPTORS.npy

Each patch is described at its centre, upright. LATCH, FREAK and BRIEF are given a patch as the
published figures ask for, found on the official frames of v_graffiti: the patch as it is (LATCH),
a keypoint of 13 pixels, two of the five sigmas that the patch reaches (FREAK), the patch made as
large as the pattern (BRIEF). The others see a window as wide as the patch. MKD (kornia) is taken
without its whitening, whose weights are a download of their own. Imports nothing of this project,
which is not installed there.
"""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np

_COLUMNS = 32  # patches beside each other in one picture
_OF_SIFT = 6.75  # window of these descriptors by the size of a SIFT keypoint (OpenCV's manual)
_SIFT_LIKE = {"VGG", "BoostDesc", "BEBLID", "TEBLID"}
_WHOLE = 65  # side of a patch in pixels
_SIZES = {"FREAK": 13.0}  # of keypoints, in pixels
_MKD = "MKD"
FLOATS = {"VGG", "DAISY", _MKD}  # the others are bits


def extractor(method: str) -> tuple[cv2.Feature2D, int]:
    """Returns an OpenCV descriptor, and the side in pixels that a patch is to have for it."""
    contributed: Any = cv2.xfeatures2d  # type: ignore[attr-defined]  # of another build
    if method == "VGG":
        return contributed.VGG_create(use_scale_orientation=True, scale_factor=_OF_SIFT), 64
    if method == "BoostDesc":
        return (
            contributed.BoostDesc_create(use_scale_orientation=True, scale_factor=_OF_SIFT),
            64,
        )
    if method == "BEBLID":
        return contributed.BEBLID_create(_OF_SIFT, contributed.BEBLID_SIZE_512_BITS), 64
    if method == "TEBLID":
        return contributed.TEBLID_create(_OF_SIFT, contributed.TEBLID_SIZE_512_BITS), 64
    if method == "DAISY":  # its rings reach 15 pixels
        return contributed.DAISY_create(norm=contributed.DAISY_NRM_PARTIAL), 32
    if method == "BRIEF":
        return contributed.BriefDescriptorExtractor_create(32), 48
    if method == "LATCH":
        return contributed.LATCH_create(64, rotationInvariance=False), _WHOLE
    if method == "FREAK":
        return contributed.FREAK_create(orientationNormalized=False), _WHOLE
    raise ValueError(f"unknown method {method}")


def describe_by_mkd(patches: np.ndarray) -> np.ndarray:
    """Describes patches uint8 [N, h, h] by multiple kernel descriptors, float32 [N, 238]."""
    import torch
    from kornia.feature import MKDDescriptor

    mkd = MKDDescriptor(patch_size=32, whitening=None)
    described = []
    for start in range(0, len(patches), 1024):
        part = [
            cv2.resize(patch, (32, 32), interpolation=cv2.INTER_AREA)
            for patch in patches[start : start + 1024]
        ]
        with torch.no_grad():
            values = mkd(torch.from_numpy(np.stack(part)[:, None] / np.float32(255)))
        described.append(values.numpy())
    return np.concatenate(described)


def describe(patches: np.ndarray, method: str) -> np.ndarray:
    """Describes patches.

    Args:
        patches: uint8 [N, h, h].
        method: See `extractor`; or MKD.

    Returns:
        float32 [N, D]; of bits zeros and ones.
    """
    if method == _MKD:
        return describe_by_mkd(patches)
    features, side = extractor(method)
    border = side  # beyond a patch its edge is mirrored, so that no window is cut off
    tile = side + 2 * border
    centre = border + (side - 1) / 2
    size = side / _OF_SIFT if method in _SIFT_LIKE else _SIZES.get(method, float(side))
    described = []
    for start in range(0, len(patches), _COLUMNS):
        row = [
            cv2.copyMakeBorder(
                cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA),
                *(border,) * 4, cv2.BORDER_REFLECT,
            )
            for patch in patches[start : start + _COLUMNS]
        ]  # fmt: skip
        keypoints = [
            cv2.KeyPoint(number * tile + centre, centre, size, 0.0) for number in range(len(row))
        ]
        kept, values = features.compute(np.hstack(row), keypoints)
        if len(kept) != len(row):
            raise ValueError(f"{method} left out {len(row) - len(kept)} of {len(row)} patches")
        described.append(values)
    values = np.concatenate(described)
    if method not in FLOATS:
        values = np.unpackbits(values, axis=1)
    return values.astype(np.float32)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    np.save(sys.argv[3], describe(np.load(sys.argv[1]), sys.argv[2]))

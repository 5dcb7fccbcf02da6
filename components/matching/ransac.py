"""The homography that most matches agree with, and how far matches are off one.

Source: Fischler and Bolles, CACM 1981 (RANSAC), in OpenCV's version with local optimisation
(Chum et al., DAGM 2003; Raguram et al., USAC, PAMI 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from components.example_gen.geometry import homography
from components.matching.settings import LEAST_INLIERS

_LEAST_MATCHES = 4
_ITERATIONS = 10_000
_CONFIDENCE = 0.9999


@dataclass(frozen=True)
class Fit:
    """A homography and who agrees with it.

    Attributes:
        matrix: float64 [3, 3], from the first photograph to the second.
        inliers: bool [M].
    """

    matrix: np.ndarray
    inliers: np.ndarray


def fit(
    first: np.ndarray, second: np.ndarray, size: tuple[int, int], threshold: float, seed: int
) -> Fit | None:
    """Finds the homography that most matches agree with.

    Args:
        first: float64 [M, 2], places in the first photograph.
        second: float64 [M, 2], places in the second.
        size: Width and height of the first photograph.
        threshold: Largest `transfer_errors` of an inlier in pixels.
        seed: Seed of the random samples.

    Returns:
        None when fewer than `LEAST_INLIERS` matches agree with any.
    """
    if len(first) < _LEAST_MATCHES:
        return None
    rules = cv2.UsacParams()
    rules.threshold, rules.randomGeneratorState = threshold, seed
    rules.maxIterations, rules.confidence = _ITERATIONS, _CONFIDENCE
    rules.score, rules.isParallel = cv2.SCORE_METHOD_MSAC, False
    rules.loMethod = cv2.LOCAL_OPTIM_INNER_AND_ITER_LO
    rules.final_polisher = cv2.LSQ_POLISHER
    try:
        matrix, _ = cv2.findHomography(first, second, rules)
    except cv2.error:  # places that all lie on one line, or on one another
        return None
    if matrix is None or not np.isfinite(matrix).all():
        return None
    inliers = transfer_errors(matrix, first, second, size) <= threshold
    return Fit(matrix, inliers) if inliers.sum() >= LEAST_INLIERS else None


def transfer_errors(
    matrix: np.ndarray, first: np.ndarray, second: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Returns how far matches are from where a homography puts them.

    Args:
        matrix: float64 [3, 3], from the first photograph to the second.
        first: float64 [M, 2], places in the first photograph.
        second: float64 [M, 2], places in the second.
        size: Width and height of the first photograph, whose centre the second one sees.

    Returns:
        float64 [M] in pixels of the second photograph; infinite for places that lie behind
        its camera.
    """
    matrix = homography.facing(matrix, *size)
    before = first @ matrix[2, :2] + matrix[2, 2] > 0
    errors = np.full(len(first), np.inf)
    errors[before] = np.linalg.norm(
        homography.project(matrix, first[before]) - second[before], axis=1
    )
    return errors


def corner_error(estimate: np.ndarray, true: np.ndarray, size: tuple[int, int]) -> float:
    """Returns the mean distance between where two homographies put an image's corners.

    Args:
        estimate: float64 [3, 3].
        true: float64 [3, 3].
        size: Width and height of the image in pixels.

    Returns:
        Pixels of the target; infinite when a corner is put behind its camera.

    Source: DeTone et al., SuperPoint, CVPR workshops 2018 (homography estimation).
    """
    corners = corners_of(size)
    return float(transfer_errors(estimate, corners, homography.project(true, corners), size).mean())


def corners_of(size: tuple[int, int]) -> np.ndarray:
    """Returns the centres of an image's corner pixels in turn, float64 [4, 2]."""
    right, bottom = size[0] - 1, size[1] - 1
    return np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], np.float64)

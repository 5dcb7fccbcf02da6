"""Which region and smoothing photographs are best matched with: chosen on photographs.

Image sequences are made of the demo's photographs that were not trained on, at the size that they
have. SIFT's keypoints, found anew in each image, are matched from the reference to the targets, and
those matches count that the true homography brings within 3 pixels, at 90 % precision. No
photograph of `true_matches` or `downstream` takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from rich.table import Table

from benchmarks.demo.real_sequences import demo_run
from benchmarks.downstream import true_matches
from benchmarks.downstream.true_matches import TrueMatches
from components.core.names import EXAMPLE_GEN, EXAMPLES_KEY, MODEL_KEY, TRAINER
from components.example_gen.formats import photographs, reading
from components.example_gen.geometry import homography
from components.example_gen.registry import PHOTOS
from components.example_gen.settings import DataSettings, PhotographSettings
from components.matching import descriptors, mutual, points
from components.matching.points import Keypoints
from trainer.core.progress import report
from trainer.core.variants import EVAL, VAL
from trainer.data import manifest
from trainer.model.names import SERVING_DIR

POINTS = 1000  # of an image
REGIONS, SMOOTHINGS = (5.0, 6.0, 7.5, 9.0), (0.0, 0.35, 0.5, 0.65)
_SETTINGS = DataSettings(photographs=PhotographSettings(shrink=1))

Describe = Callable[[np.ndarray, Keypoints, Sequence[cv2.KeyPoint]], np.ndarray]


@dataclass(frozen=True)
class KeypointSequence:
    """An image sequence with the keypoints of its images.

    Attributes:
        images: Six of uint8 [height, width], the reference first.
        matrices: Five of float64 [3, 3], reference pixels to target pixels.
        detected: OpenCV's keypoints of each image.
    """

    images: Sequence[np.ndarray]
    matrices: Sequence[np.ndarray]
    detected: Sequence[Sequence[cv2.KeyPoint]]


def run(work: str) -> Table:
    """Returns true matches of RootSIFT, and of the demo's model by region and smoothing."""
    result = demo_run(work)
    examples = manifest.read(result.uri(EXAMPLE_GEN, EXAMPLES_KEY))
    names = {entry.name for split in (VAL, EVAL) for entry in examples.splits[split]}
    model = descriptors.load_model(f"{result.uri(TRAINER, MODEL_KEY)}/{SERVING_DIR}")
    sequences = _sequences(f"{work}/photographs", names)
    scores = {
        "rootsift": score(sequences, lambda image, _, found: true_matches.rootsift(image, found))
    }
    for region in REGIONS:
        for smoothing in SMOOTHINGS:
            report("matching", len(scores) - 1, len(REGIONS) * len(SMOOTHINGS))

            def describe(
                image: np.ndarray,
                keypoints: Keypoints,
                _: Any,
                cut: tuple[float, float] = (region, smoothing),
            ) -> np.ndarray:
                return model.describe(points.cut(image, keypoints, *cut))

            scores[f"{region:g} sigma, smoothed to {smoothing:g}"] = score(sequences, describe)
    report("matching", 1, 1)
    return true_matches.table(scores, POINTS)


def score(sequences: Sequence[KeypointSequence], describe: Describe) -> TrueMatches:
    """Matches the reference of each sequence with its targets.

    Args:
        sequences: With their keypoints.
        describe: From an image, its keypoints and OpenCV's to float32 [N, D].
    """
    ratios, errors, sigmas = [], [], []
    for one in sequences:
        keypoints = [points.from_opencv(found) for found in one.detected]
        described = list(map(describe, one.images, keypoints, one.detected))
        for number, matrix in enumerate(one.matrices, start=1):
            matches = mutual.match(described[0], described[number], 1.0)
            first = keypoints[0].positions[matches.first]
            second = keypoints[number].positions[matches.second]
            true = homography.project(matrix, first[:, :2].astype(np.float64))
            ratios.append(matches.ratio)
            errors.append(np.linalg.norm(true - second[:, :2], axis=1))
            sigmas.append(first[:, 2])
    return true_matches.at_precision(*(np.concatenate(part) for part in (ratios, errors, sigmas)))


def _sequences(folder: str, names: set[str]) -> list[KeypointSequence]:
    inputs, _ = reading.list_sequences(PHOTOS, folder, _SETTINGS)
    made = []
    for item in inputs:
        if item.name in names:
            photograph = photographs.read_photograph(item)
            images, matrices = photographs.make_sequence(item, photograph, _SETTINGS)
            detected = [points.sift_keypoints(image, POINTS) for image in images]
            made.append(KeypointSequence(images, matrices, detected))
    return made

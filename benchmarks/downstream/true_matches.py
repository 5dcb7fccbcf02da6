"""How many true matches descriptors find at 90 % precision, on the same points.

Mutual nearest neighbours of all pairs of photographs are taken by their ratio, the best first,
as long as 90 % of them are true: within 3 pixels of each other's epipolar line. So each
descriptor has the limit of the ratio that suits it. Points are OpenCV's SIFT keypoints with
their own scales and orientations; RootSIFT describes them by OpenCV in its own window, the
model by patches of its own region and smoothing, or others.

python -m benchmarks.downstream.true_matches --model demo --cut 6 .35 --cut 5 0
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import click
import cv2
import numpy as np
from rich.table import Table

from benchmarks.downstream import scene as scenes
from benchmarks.downstream.scene import Scene
from components.matching import descriptors, mutual, points
from components.matching.points import Keypoints
from pipeline.commands.options import TRUST_OPTION, model_option
from pipeline.terminal import consoles, noise
from pipeline.terminal.work_view import show_progress
from trainer.core.progress import report

POINTS = 4000  # of a photograph
PRECISION, WITHIN = 0.9, 3.0  # pixels
SIZES = (0.0, 1.3, 1.6, 2.0, 3.0, 5.0, np.inf)  # sigma in pixels


@dataclass(frozen=True)
class TrueMatches:
    """What a descriptor finds at the wanted precision.

    Attributes:
        count: True matches.
        by_size: Of them, by the sigma of the point in the first photograph; see `SIZES`.
        ratio: The largest ratio among them.
    """

    count: int
    by_size: tuple[int, ...]
    ratio: float


def rootsift(image: np.ndarray, keypoints: Sequence[cv2.KeyPoint]) -> np.ndarray:
    """Describes SIFT's keypoints of an image by OpenCV, as RootSIFT, float32 [N, 128]."""
    described = cv2.SIFT.create(enable_precise_upscale=True).compute(image, keypoints)[1]
    return np.sqrt(described / np.maximum(described.sum(axis=1, keepdims=True), 1e-12))


def score(
    scene: Scene, keypoints: Sequence[Keypoints], described: Sequence[np.ndarray]
) -> TrueMatches:
    """Matches all pairs of photographs.

    Args:
        scene: With the cameras.
        keypoints: Points of each photograph.
        described: float32 [N, D] of each.
    """
    ratios, errors, sigmas = [], [], []
    for pair in scene.pairs():
        matches = mutual.match(described[pair[0]], described[pair[1]], 1.0)
        places = [
            keypoints[image].positions[rows]
            for image, rows in zip(pair, (matches.first, matches.second), strict=True)
        ]
        ratios.append(matches.ratio)
        errors.append(scene.epipolar_errors(pair, np.stack(places)[..., :2]))
        sigmas.append(places[0][:, 2])
    return at_precision(*(np.concatenate(part) for part in (ratios, errors, sigmas)))


def at_precision(ratios: np.ndarray, errors: np.ndarray, sigmas: np.ndarray) -> TrueMatches:
    """Takes as many matches as are true to the wanted share, those of the lowest ratio first.

    Args:
        ratios: float [M].
        errors: float [M], pixels off the epipolar line.
        sigmas: float [M], of the point in the first photograph.
    """
    order = np.argsort(ratios, kind="stable")
    true = errors[order] <= WITHIN
    precise = np.flatnonzero(np.cumsum(true) >= PRECISION * np.arange(1, len(true) + 1))
    taken = order[: precise[-1] + 1] if len(precise) else order[:0]
    good = taken[errors[taken] <= WITHIN]
    counts, _ = np.histogram(sigmas[good], SIZES)
    limit = float(ratios[taken].max(initial=0))
    return TrueMatches(len(good), tuple(map(int, counts)), limit)


def measure(
    model: str, cuts: Sequence[tuple[float, float]] = (), trusted: bool = False
) -> dict[str, TrueMatches]:
    """Scores RootSIFT and a model on the castle.

    Args:
        model: Folder of a SavedModel.
        cuts: Half the side of the region in sigmas, and smoothing, for each of which the model is
            scored; by default its own.
        trusted: As for `saved_model.load_model`.
    """
    rules, _ = descriptors.extraction_for(model)
    cuts = cuts or [(rules.region, rules.smoothing)]
    scene = scenes.load()
    detected = [points.sift_keypoints(item.image, POINTS) for item in scene.photographs]
    keypoints = list(map(points.from_opencv, detected))
    describe = descriptors.load_model(model, trusted).describe
    images = [item.image for item in scene.photographs]
    result = {"rootsift": score(scene, keypoints, list(map(rootsift, images, detected)))}
    for number, (region, smoothing) in enumerate(cuts):
        described = []
        for place, (image, one) in enumerate(zip(images, keypoints, strict=True)):
            report("describing", number * len(images) + place, len(cuts) * len(images))
            described.append(describe(points.cut(image, one, region, smoothing)))
        result[f"model, {region:g} sigma, smoothed to {smoothing:g}"] = score(
            scene, keypoints, described
        )
    report("describing", 1, 1)
    return result


def table(scores: dict[str, TrueMatches], keypoints: int = POINTS) -> Table:
    """Shows true matches in all and by size, and each relative to the first row's."""
    title = f"True matches at {PRECISION:.0%} precision, {keypoints:,} SIFT keypoints a photograph"
    shown = Table(title=title)
    shown.add_column("descriptor")
    shown.add_column("ratio", justify="right")
    shown.add_column("all", justify="right")
    for low, high in itertools.pairwise(SIZES):
        shown.add_column(f"sigma {low:g}-{high:g}", justify="right")
    base = next(iter(scores.values()))
    for name, one in scores.items():
        cells = zip((one.count, *one.by_size), (base.count, *base.by_size), strict=True)
        shown.add_row(
            name,
            f"{one.ratio:.3f}",
            *(f"{mine:,} ({mine / max(theirs, 1):.2f})" for mine, theirs in cells),
        )
    return shown


@click.command()
@model_option("Model to score.", required=True)
@click.option("--cut", "cuts", type=(float, float), multiple=True, metavar="REGION SMOOTHING")
@TRUST_OPTION
def main(model: str, cuts: tuple[tuple[float, float], ...], trusted: bool) -> None:
    """Score a model beside RootSIFT on the castle, by its own cut or others."""
    with show_progress():
        scores = measure(model, cuts, trusted)
    consoles.output().print(table(scores))


if __name__ == "__main__":
    noise.quieten(verbose=False)
    main()

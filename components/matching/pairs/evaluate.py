"""Matches the image pairs of sequences with homographies: `hpatches evaluate --task pairs`.

Unlike HPatches' own tasks this one does not cut the same points out of every image: points are
detected in each image anew, as an application would, so that what the detector does not find
again cannot be matched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.descriptor_evaluator.descriptors import saved_model
from components.descriptor_evaluator.scoring.provenance import versions
from components.example_gen.formats import reading, sequences
from components.example_gen.formats.base import SequenceInput
from components.example_gen.geometry import homography
from components.example_gen.settings import DataSettings, ExtractionSettings
from components.matching import descriptors, photograph, points
from components.matching.descriptors import Descriptor
from components.matching.match import PairMatches, match_described
from components.matching.pairs.scores import (
    PairScore,
    found_again,
    matching_accuracy,
    summarise,
)
from components.matching.photograph import Photograph
from components.matching.settings import MatchSettings
from trainer.core.errors import UserError
from trainer.core.progress import report

# All mutual nearest neighbours: the ratio test is a choice of an application's.
SETTINGS = MatchSettings(ratio=1.0)


@dataclass(frozen=True)
class Sequence:
    """An image sequence, ready to be matched.

    Attributes:
        item: Name and kind.
        images: Reference and targets.
        points: Points of each image.
        truths: float64 [3, 3] from the reference to each target, as matched.
    """

    item: SequenceInput
    images: tuple[Photograph, ...]
    points: tuple[points.Points, ...]
    truths: tuple[np.ndarray, ...]


def evaluate_pairs(
    data: str,
    *,
    model: str | None = None,
    baseline: str | None = None,
    settings: MatchSettings = SETTINGS,
    trusted: bool = False,
) -> dict[str, Any]:
    """Matches image 1 of every sequence with each of the others.

    Points are found once per image, as for the model's training data, so that model and
    baseline describe the same patches. `trusted` is as for `saved_model.load_model`.

    Returns:
        `descriptors`: for each what `summarise` gives, over all pairs (`mean`), `by_kind` and
        by sequence, and every pair; beside it `data` and `versions`. All of it JSON.

    Raises:
        UserError: When data or model cannot be used, or neither model nor baseline is given.
    """
    if model is None and baseline is None:
        raise UserError("nothing to describe with, expected a model, a baseline or both")
    settings_of_data = DataSettings(format="sequences")
    inputs, _ = reading.list_sequences("sequences", data, settings_of_data, sequences.check_pairs)
    rules, notes = descriptors.extraction_for(model)
    chosen: list[Descriptor] = []
    if model is not None:
        names = [item.name for item in inputs]
        scenes = [item.scene for item in inputs]
        saved_model.refuse_if_trained_on(saved_model.read_identity(model), names, scenes)
        chosen.append(descriptors.load_model(model, trusted))
    if baseline is not None:
        chosen.append(descriptors.baseline(baseline))
    scores: dict[str, list[PairScore]] = {descriptor.name: [] for descriptor in chosen}
    for number, item in enumerate(inputs):
        report("matching image pairs", number, len(inputs), item.name)
        sequence = _prepare(item, rules, settings)
        for descriptor in chosen:
            scores[descriptor.name] += score_sequence(descriptor, sequence, settings)
    report("matching image pairs", len(inputs), len(inputs))
    return {
        "data": {"sequences": data, "names": [item.name for item in inputs], "notes": list(notes)},
        "settings": settings.model_dump(mode="json"),
        "extraction": rules.model_dump(mode="json"),
        "descriptors": [
            {"name": item.name, "descriptor_id": item.identity, **_as_json(scores[item.name])}
            for item in chosen
        ],
        "versions": versions(),
    }


def score_sequence(
    descriptor: Descriptor, sequence: Sequence, settings: MatchSettings
) -> list[PairScore]:
    """Describes the points of all images once, and matches the reference with each target.

    Raises:
        UserError: When a homography does not fit, though matches agree on another one.
    """
    described = [descriptor.describe(matches.patches) for matches in sequence.points]
    scores = []
    for target in range(1, len(sequence.images)):
        matches = match_described(
            descriptor,
            (sequence.images[0], sequence.images[target]),
            (sequence.points[0], sequence.points[target]),
            (described[0], described[target]),
            settings,
            sequence.truths[target - 1],
        )
        if matches.contradiction:
            file = sequence.item.files[len(sequence.images) + target - 1]
            raise UserError(f"{file}: {matches.contradiction}")
        scores.append(_score(matches, sequence, target))
    return scores


def _prepare(item: SequenceInput, rules: ExtractionSettings, settings: MatchSettings) -> Sequence:
    count = (len(item.files) + 1) // 2  # of n images, n - 1 homographies
    images = tuple(photograph.read(path, settings.max_side) for path in item.files[:count])
    truths = tuple(
        photograph.to_matched_size(homography.read(path), images[0], image)
        for path, image in zip(item.files[count:], images[1:], strict=True)
    )
    detected = tuple(points.find(image, rules, settings.points) for image in images)
    return Sequence(item, images, detected, truths)


def _score(matches: PairMatches, sequence: Sequence, target: int) -> PairScore:
    errors = np.zeros(0) if matches.errors is None else matches.errors
    first, second = (
        sequence.points[image].positions[:, :2].astype(np.float64) for image in (0, target)
    )
    true_places = homography.project(sequence.truths[target - 1], first)
    return PairScore(
        sequence=sequence.item.name,
        kind=sequence.item.kind,
        target=target + 1,
        matches=len(matches),
        found_again=found_again(true_places, second),
        accuracy=matching_accuracy(errors),
        corner_error=math.inf if matches.corner_error is None else matches.corner_error,
    )


def _as_json(scores: list[PairScore]) -> dict[str, Any]:
    kinds = sorted({score.kind for score in scores})
    names = list(dict.fromkeys(score.sequence for score in scores))
    return {
        "mean": summarise(scores),
        "by_kind": {
            kind: summarise([score for score in scores if score.kind == kind]) for kind in kinds
        },
        "sequences": {
            name: summarise([score for score in scores if score.sequence == name]) for name in names
        },
        "pairs": [
            {
                "sequence": score.sequence,
                "target": score.target,
                "matches": score.matches,
                "found_again": score.found_again,
                "accuracy": list(score.accuracy),
                "corner_error": score.corner_error if math.isfinite(score.corner_error) else None,
            }
            for score in scores
        ],
    }

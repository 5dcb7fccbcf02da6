"""Matches two photographs by one or more descriptors: `hpatches match`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.descriptor_evaluator.scoring.provenance import versions
from components.example_gen.geometry import homography
from components.example_gen.settings import ExtractionSettings
from components.matching import descriptors, mutual, photograph, points, ransac, truth_check
from components.matching.descriptors import Descriptor
from components.matching.mutual import Matches
from components.matching.photograph import Photograph
from components.matching.points import Points
from components.matching.settings import RIGHT_WITHIN, MatchSettings
from trainer.core.errors import UserError
from trainer.core.progress import report


@dataclass(frozen=True)
class PairMatches:
    """What one descriptor matched on two photographs.

    Attributes:
        descriptor: The descriptor.
        first: float64 [M, 2], matched places in the first photograph.
        second: float64 [M, 2], the places in the second that they were matched to.
        matches: Which points they are, and how near their descriptors.
        fit: The homography that most agree with; None when too few agree with any.
        errors: float64 [M], pixels off the true homography; None when it is not known.
        corner_error: Pixels by which the fitted homography puts the first photograph's corners
            off; None without either.
        contradiction: That the matches agree on another homography than the true one; or "".
    """

    descriptor: Descriptor
    first: np.ndarray
    second: np.ndarray
    matches: Matches
    fit: ransac.Fit | None
    errors: np.ndarray | None
    corner_error: float | None
    contradiction: str = ""

    def __len__(self) -> int:
        return len(self.first)

    @property
    def inliers(self) -> np.ndarray:
        """Who agrees with the homography, bool [M]; nobody when there is none."""
        return np.zeros(len(self), bool) if self.fit is None else self.fit.inliers


@dataclass(frozen=True)
class Result:
    """Two photographs and what each descriptor matched; places are in pixels as matched."""

    photographs: tuple[Photograph, Photograph]
    points: tuple[int, int]
    descriptors: tuple[PairMatches, ...]
    settings: MatchSettings
    extraction: ExtractionSettings
    notes: tuple[str, ...] = ()


def match_files(
    first: str,
    second: str,
    *,
    model: str | None = None,
    baseline: str | None = None,
    true_homography: str | None = None,
    settings: MatchSettings = MatchSettings(),  # noqa: B008 - frozen
    trusted: bool = False,
) -> Result:
    """Matches two photographs.

    Points are found once, as for the model's training data, so that model and baseline
    describe the same patches. The file of the true homography holds the 3 x 3 matrix from the
    first file's pixels to the second's. `trusted` is as for `saved_model.load_model`.

    Raises:
        UserError: When a file cannot be used, or neither model nor baseline is given.
    """
    if model is None and baseline is None:
        raise UserError("nothing to describe with, expected a model, a baseline or both")
    rules, notes = descriptors.extraction_for(model)
    truth = None if true_homography is None else homography.read(true_homography)
    pair = (
        photograph.read(first, settings.max_side),
        photograph.read(second, settings.max_side),
    )
    if truth is not None:
        truth = photograph.to_matched_size(truth, *pair)
    both = _find(pair, rules, settings.points)
    chosen = []
    if model is not None:
        report("loading the model", 0, 1, model)
        chosen.append(descriptors.load_model(model, trusted))
        report("loading the model", 1, 1)
    if baseline is not None:
        chosen.append(descriptors.baseline(baseline))
    results = []
    for number, descriptor in enumerate(chosen):
        report("describing and matching", number, len(chosen), descriptor.name)
        results.append(match_points(descriptor, pair, both, settings, truth))
    contradicted = [result.contradiction for result in results if result.contradiction]
    notes = (*notes, *(f"{true_homography}: {sentence}" for sentence in contradicted[:1]))
    report("describing and matching", len(chosen), len(chosen))
    return Result(pair, (len(both[0]), len(both[1])), tuple(results), settings, rules, notes)


def match_points(
    descriptor: Descriptor,
    pair: tuple[Photograph, Photograph],
    both: tuple[Points, Points],
    settings: MatchSettings,
    truth: np.ndarray | None = None,
) -> PairMatches:
    """Describes and matches points of two photographs; `truth` is as for `match_described`."""
    described = descriptor.describe(both[0].patches), descriptor.describe(both[1].patches)
    return match_described(descriptor, pair, both, described, settings, truth)


def match_described(
    descriptor: Descriptor,
    pair: tuple[Photograph, Photograph],
    both: tuple[Points, Points],
    described: tuple[np.ndarray, np.ndarray],
    settings: MatchSettings,
    truth: np.ndarray | None = None,
) -> PairMatches:
    """Matches points that have been described.

    Args:
        descriptor: What described them.
        pair: The photographs.
        both: Their points.
        described: float32 [N, D] of each.
        settings: How they are matched.
        truth: float64 [3, 3], true homography between the photographs as matched, or None.
    """
    matches = mutual.match(described[0], described[1], settings.ratio)
    first = both[0].positions[matches.first, :2].astype(np.float64)
    second = both[1].positions[matches.second, :2].astype(np.float64)
    size = pair[0].size
    fit = ransac.fit(first, second, size, settings.threshold, settings.seed)
    errors = corner_error = None
    contradiction = ""
    if truth is not None:
        contradiction = truth_check.contradiction(truth, first, second, fit, size)
        errors = ransac.transfer_errors(truth, first, second, size)
        corner_error = None if fit is None else ransac.corner_error(fit.matrix, truth, size)
    return PairMatches(descriptor, first, second, matches, fit, errors, corner_error, contradiction)


def as_json(result: Result) -> dict[str, Any]:
    """Returns the numbers for programs; places and homographies in pixels of the files."""
    pair = result.photographs
    return {
        "photographs": [
            {
                "path": item.path,
                "size": list(item.full_size),
                "matched_at": list(item.size),
                "points": count,
            }
            for item, count in zip(pair, result.points, strict=True)
        ],
        "settings": result.settings.model_dump(mode="json"),
        "extraction": result.extraction.model_dump(mode="json"),
        "notes": list(result.notes),
        "descriptors": [_matches_as_json(outcome, pair) for outcome in result.descriptors],
        "versions": versions(),
    }


def _matches_as_json(outcome: PairMatches, pair: tuple[Photograph, Photograph]) -> dict[str, Any]:
    content: dict[str, Any] = {
        "name": outcome.descriptor.name,
        "descriptor_id": outcome.descriptor.identity,
        "matches": len(outcome),
        "inliers": int(outcome.inliers.sum()),
        "homography": None
        if outcome.fit is None
        else photograph.to_full_size(outcome.fit.matrix, *pair).tolist(),
    }
    if outcome.errors is not None:
        content["right"] = {
            f"{pixels:g}": int((outcome.errors <= pixels).sum()) for pixels in RIGHT_WITHIN
        }
        known = outcome.corner_error is not None and math.isfinite(outcome.corner_error)
        content["corner_error"] = outcome.corner_error if known else None
    places = [
        homography.project(item.to_full, values)
        for item, values in zip(pair, (outcome.first, outcome.second), strict=True)
    ]
    columns = [*places[0].T, *places[1].T, outcome.matches.distance, outcome.matches.ratio]
    content["columns"] = ["x", "y", "other_x", "other_y", "distance", "ratio", "inlier"]
    content["pairs"] = [
        [*(round(float(value), 4) for value in row), bool(inlier)]
        for row, inlier in zip(np.stack(columns, axis=1), outcome.inliers, strict=True)
    ]
    return content


def _find(
    pair: tuple[Photograph, Photograph], rules: ExtractionSettings, limit: int
) -> tuple[Points, Points]:
    both = []
    for number, item in enumerate(pair):
        report("finding points", number, 2, item.path)
        both.append(points.find(item, rules, limit))
    report("finding points", 2, 2)
    return both[0], both[1]

"""Describes whole photographs: `hpatches features`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.descriptor_evaluator.descriptors import saved_model
from components.example_gen.formats import images
from components.example_gen.geometry import homography
from components.example_gen.settings import ExtractionSettings
from components.matching import descriptors, photograph, points
from components.matching.descriptors import Descriptor
from components.matching.features import cameras, formats, listing, parallel
from components.matching.features.cameras import Camera
from components.matching.features.features import Features
from components.matching.points import Detector, Points
from components.matching.settings import FeatureSettings
from trainer.core.errors import UserError
from trainer.core.progress import report
from trainer.model import patch_identity


@dataclass(frozen=True)
class Described:
    """What was written.

    Attributes:
        photographs: Number of photographs.
        points: Of all together.
        dimension: Numbers in a descriptor.
        skipped: A sentence for each photograph that was left out.
        notes: Remarks.
    """

    photographs: int
    points: int
    dimension: int
    skipped: tuple[str, ...]
    notes: tuple[str, ...]


def describe(
    place: str,
    outputs: Sequence[str],
    *,
    model: str | None = None,
    baseline: str | None = None,
    settings: FeatureSettings = FeatureSettings(),  # noqa: B008 - frozen
    skip_bad: bool = False,
    trusted: bool = False,
) -> Described:
    """Finds and describes points of photographs, and writes them to new files.

    Args:
        place: As for `listing.photographs`.
        outputs: New files, by whose names' ends their formats are chosen.
        model: Folder of a SavedModel; or
        baseline: a handcrafted descriptor.
        settings: Which points.
        skip_bad: Go on without photographs that cannot be used.
        trusted: As for `saved_model.load_model`.

    Raises:
        UserError: When something cannot be used or written; then no file is left.
    """
    writers = [(formats.writer(output), output) for output in outputs]
    photographs = listing.photographs(place)
    rules, notes = descriptors.extraction_for(model)
    identity = identity_of(model, baseline, rules, settings.detector)
    if model is not None:
        report("loading the model", 0, 1, model)
        descriptor = descriptors.load_model(model, trusted)
        report("loading the model", 1, 1)
    else:
        assert baseline is not None
        descriptor = descriptors.baseline(baseline)
    skipped: list[str] = []
    total = count = dimension = 0
    with contextlib.ExitStack() as stack:
        adds = [stack.enter_context(write(output, identity)) for write, output in writers]
        work = _finder(rules, settings)
        for number, result in enumerate(parallel.in_order(work, photographs)):
            report("describing photographs", number, len(photographs), photographs[number].name)
            try:
                features = _described(photographs[number].name, *result(), descriptor)
            except UserError as error:
                if not skip_bad:
                    raise _with_advice(error) from error
                skipped.append(str(error))
                continue
            for add in adds:
                add(features)
            total, count = total + len(features), count + 1
            dimension = features.descriptors.shape[1]
        if not count:
            raise UserError(f"{place}: none of {len(photographs)} images can be used; {skipped[0]}")
        report("describing photographs", len(photographs), len(photographs))
    return Described(count, total, dimension, tuple(skipped), notes)


def identity_of(
    model: str | None, baseline: str | None, rules: ExtractionSettings, detector: Detector
) -> dict[str, Any]:
    """Returns what files say of the descriptor: `descriptor`, `patch`, `matching` and so on.

    Raises:
        UserError: When the model's own cannot be read.
    """
    own = (saved_model.read_identity(model) if model else None) or {}
    kept = ("descriptor_id", patch_identity.PATCH, patch_identity.MATCHING, patch_identity.LICENCE)
    cut = {"measurement_region": rules.region, "smoothing": rules.smoothing}
    region = {patch_identity.PATCH: cut}
    told = {key: own[key] for key in kept if own.get(key) is not None}
    return {"descriptor": baseline or "model", "detector": detector, **region, **told}


def _finder(
    rules: ExtractionSettings, settings: FeatureSettings
) -> Callable[[listing.Photograph], tuple[Camera, np.ndarray, Points]]:
    def find(item: listing.Photograph) -> tuple[Camera, np.ndarray, Points]:
        stored, camera = cameras.read(item.path, images.read_grey(item.path))
        shrunk = photograph.shrunk(item.path, stored, settings.max_side)
        return (
            camera,
            shrunk.to_full,
            points.find(shrunk, rules, settings.points, settings.detector),
        )

    return find


def _described(
    name: str, camera: Camera, to_full: np.ndarray, detected: Points, descriptor: Descriptor
) -> Features:
    places = homography.project(to_full, detected.positions[:, :2].astype(np.float64))
    sigma = detected.positions[:, 2:] * np.sqrt(to_full[0, 0] * to_full[1, 1])
    return Features(
        name,
        camera,
        np.hstack([places, sigma]).astype(np.float32),
        detected.angles.astype(np.float32),
        detected.strengths,
        descriptor.describe(detected.patches),
    )


def _with_advice(error: UserError) -> UserError:
    return UserError(f"{error} (--skip-bad-images goes on without such images)")

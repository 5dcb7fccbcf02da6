"""Scores a descriptor on a PhotoTour set: `hpatches evaluate --task brown`."""

from __future__ import annotations

from typing import Any

import numpy as np

from components.descriptor_evaluator.protocol import distances
from components.descriptor_evaluator.scoring.provenance import versions
from components.matching import descriptors
from components.matching.brown import photo_tour
from components.matching.brown.false_positives import false_positive_rate
from components.matching.brown.photo_tour import Pairs, PhotoTour
from components.matching.descriptors import Descriptor
from trainer.core.errors import UserError
from trainer.core.progress import report

_PAIRS_AT_ONCE = 8192


def evaluate_brown(
    data: str,
    *,
    pairs_file: str | None = None,
    model: str | None = None,
    baseline: str | None = None,
    trusted: bool = False,
) -> dict[str, Any]:
    """Scores a descriptor by its false positives at 95 % recall.

    `trusted` is as for `saved_model.load_model`.

    Returns:
        `descriptors` (name, `descriptor_id`, `fpr95`), `data` and `versions`; all of it JSON.

    Raises:
        UserError: When data or model cannot be used, or neither model nor baseline is given.
    """
    if model is None and baseline is None:
        raise UserError("nothing to describe with, expected a model, a baseline or both")
    tour = photo_tour.open_set(data)
    path = pairs_file or photo_tour.choose_pairs_file(tour)
    pairs = photo_tour.read_pairs(tour, path)
    chosen: list[Descriptor] = []
    if model is not None:
        chosen.append(descriptors.load_model(model, trusted))
    if baseline is not None:
        chosen.append(descriptors.baseline(baseline))
    scores = [
        {
            "name": descriptor.name,
            "descriptor_id": descriptor.identity,
            "fpr95": false_positive_rate(pair_distances(descriptor, tour, pairs), pairs.match),
        }
        for descriptor in chosen
    ]
    return {
        "data": {
            "set": data,
            "pairs_file": path,
            "patches": len(tour.points),
            "matches": int(pairs.match.sum()),
            "others": int((~pairs.match).sum()),
        },
        "descriptors": scores,
        "versions": versions(),
    }


def pair_distances(descriptor: Descriptor, tour: PhotoTour, pairs: Pairs) -> np.ndarray:
    """Describes the patches that stand in pairs, each once, and returns float64 [P].

    Pairs with a descriptor that is not finite are infinitely far apart.
    """
    wanted, place = np.unique(np.stack([pairs.first, pairs.second]), return_inverse=True)
    first, second = place.reshape(2, -1)
    described: np.ndarray | None = None
    done = 0
    for places, patches in photo_tour.read_patches(tour, wanted):
        values = descriptor.describe(patches)
        if described is None:
            described = np.empty((len(wanted), values.shape[1]), np.float32)
        described[places] = values
        done += len(places)
        report("describing patches", done, len(wanted), descriptor.name)
    assert described is not None, "there are pairs of both kinds"
    usable = distances.finite_rows(described)
    usable = usable[first] & usable[second]
    result = np.full(len(first), np.inf)
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        block = np.arange(start, min(start + _PAIRS_AT_ONCE, len(first)))
        block = block[usable[block]]
        result[block] = distances.exact_pairs(described[first[block]], described[second[block]])
    return result

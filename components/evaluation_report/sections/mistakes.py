"""The worst false matches and retrieval rows, as patches: right ones green, wrong ones red."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from components.evaluation_report import patch_album
from components.evaluation_report.material import CANDIDATE, Material, NotShownError
from components.evaluation_report.patch_album import Place
from trainer.core.variants import NOISE_NAMES, NOISES, VARIANTS, variant_index


def section(material: Material) -> dict[str, Any]:
    """Returns `matches` and `rows`: groups by noise level, each of items with their patches.

    Raises:
        NotShownError: When the evaluation chose none.
        UserError: When the examples cannot be read.
    """
    chosen = material.exhibits.get(CANDIDATE, {})
    matches, rows = chosen.get("false_matches", []), chosen.get("retrieval_rows", [])
    if not matches and not rows:
        raise NotShownError("there is no false match and no retrieval row to show")
    places = [place for item in matches for place in places_of_match(item).values()]
    places += [place for item in rows for place in places_of_row(item)]
    patches = patch_album.read(material.examples, material.manifest, places)
    return {
        "matches": _by_noise(matches, lambda item: _match(item, patches)),
        "rows": _by_noise(rows, lambda item: _row(item, patches)),
    }


def places_of_match(item: Mapping[str, Any]) -> dict[str, Place]:
    """Returns the three patches of a false match: `reference`, `wrong` and `right`."""
    target = VARIANTS[variant_index(item["noise"], item["target"])]
    name = item["sequence"]
    return {
        "reference": Place(name, item["reference"], VARIANTS[0]),
        "wrong": Place(name, item["wrong"], target),
        "right": Place(name, item["reference"], target),
    }


def places_of_row(item: Mapping[str, Any]) -> list[Place]:
    """Returns the query and then the first patches that were retrieved."""
    query = Place(item["sequence"], item["index"], VARIANTS[0])
    return [query, *(Place(e["sequence"], e["index"], e["variant"]) for e in item["first"])]


def _by_noise(items: list[dict[str, Any]], show: Any) -> list[dict[str, Any]]:
    groups = []
    for noise in NOISES:
        shown = [show(item) for item in items if item["noise"] == noise]
        if shown:
            groups.append({"noise": NOISE_NAMES[noise], "items": shown})
    return groups


def _match(item: Mapping[str, Any], patches: Mapping[Place, np.ndarray]) -> dict[str, Any]:
    pictures = {role: picture(patches.get(place)) for role, place in places_of_match(item).items()}
    return {
        **pictures,
        "sequence": item["sequence"],
        "target": item["target"],
        "distance": number(item["distance"]),
        "right_distance": number(item["right_distance"]),
    }


def _row(item: Mapping[str, Any], patches: Mapping[Place, np.ndarray]) -> dict[str, Any]:
    query, *retrieved = places_of_row(item)
    ranks = [f"{rank:,}" if rank is not None else "never" for rank in item["ranks"]]
    return {
        "query": picture(patches.get(query)),
        "sequence": item["sequence"],
        "ap": item["ap"],
        "ranks": ", ".join(ranks),
        "first": [
            {
                "picture": picture(patches.get(place)),
                "right": entry["right"],
                "distance": number(entry["distance"]),
                "sequence": entry["sequence"],
            }
            for entry, place in zip(item["first"], retrieved, strict=True)
        ],
    }


def picture(pixels: np.ndarray | None) -> str:
    """Returns a patch, uint8 [h, w], as a data URI; "" for one that is not there."""
    return "" if pixels is None else patch_album.data_uri(pixels)


def number(value: float | None) -> str:
    """Returns a distance for readers.

    Example:
        >>> number(0.41234), number(123.4), number(None)
        ('0.412', '123', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.3g}"

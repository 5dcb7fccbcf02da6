"""The map of descriptors: thumbnails of patches where their descriptors lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from components.evaluation_report import patch_album
from components.evaluation_report.material import CANDIDATE, Material, NotShownError
from components.evaluation_report.patch_album import Place
from trainer.core.variants import NOISE_NAMES

_SIDE = 1000.0
_THUMBNAIL = 44.0
_MARGIN = 30.0
_PIXELS = 28  # of a thumbnail's file: small on the page, and there are hundreds
FRAME = {"ref": "#0c7bc0", "e": "#009e73", "h": "#e69f00", "t": "#d55e00"}


def section(material: Material) -> dict[str, Any]:
    """Returns `picture` (SVG), `method` and `legend` (colour by what it stands for).

    Raises:
        NotShownError: When the evaluation laid out no map.
        UserError: When the examples cannot be read.
    """
    chosen = material.exhibits.get(CANDIDATE, {}).get("map", {})
    points = chosen.get("points", [])
    if not points:
        raise NotShownError("there are too few different descriptors for a map")
    places = [
        Place(point["sequence"], point["index"], variant)
        for point in points
        for variant in point["variants"]
    ]
    patches = patch_album.read(material.examples, material.manifest, places)
    names = {"ref": "reference", **NOISE_NAMES}
    return {
        "picture": draw(points, patches),
        "method": chosen["method"],
        "count": len(points),
        "legend": [(names[key], colour) for key, colour in FRAME.items()],
    }


def draw(points: Sequence[Mapping[str, Any]], patches: Mapping[Place, np.ndarray]) -> Markup:
    """Returns the map as SVG.

    Args:
        points: As `descriptor_map.lay_out` returns them; the views of each are joined to its
            reference by lines.
        patches: uint8 [65, 65] by place; those that are missing stay empty frames.
    """
    joins, thumbnails = [], []
    for point in points:
        spots = [_spot(x, y) for x, y in zip(point["x"], point["y"], strict=True)]
        for x, y in spots[1:]:
            joins.append(f'<path d="M{spots[0][0]:.0f} {spots[0][1]:.0f}L{x:.0f} {y:.0f}"/>')
        for variant, spot in zip(point["variants"], spots, strict=True):
            place = Place(point["sequence"], point["index"], variant)
            thumbnails.append(_thumbnail(place, spot, patches.get(place)))
    return Markup(
        f'<svg class="map" viewBox="0 0 {_SIDE:.0f} {_SIDE:.0f}" role="img" '
        'aria-label="Map of descriptors with patch thumbnails">'
        f'<g class="joins">{"".join(joins)}</g>{"".join(thumbnails)}</svg>'
    )


def _spot(x: float, y: float) -> tuple[float, float]:
    span = _SIDE - 2 * _MARGIN
    return _MARGIN + x * span, _SIDE - _MARGIN - y * span


def _thumbnail(place: Place, spot: tuple[float, float], pixels: np.ndarray | None) -> str:
    left, top = spot[0] - _THUMBNAIL / 2, spot[1] - _THUMBNAIL / 2
    box = f'x="{left:.0f}" y="{top:.0f}" width="{_THUMBNAIL:.0f}" height="{_THUMBNAIL:.0f}"'
    shown = ""
    if pixels is not None:
        shown = f'<image {box} href="{patch_album.data_uri(pixels, _PIXELS)}"/>'
    colour = FRAME[place.variant if place.variant == "ref" else place.variant[0]]
    words = escape(f"{place.sequence} {place.index}, {place.variant}")
    frame = f'<rect {box} fill="none" stroke="{colour}" stroke-width="5"/>'
    return f"<g><title>{words}</title>{shown}{frame}</g>"

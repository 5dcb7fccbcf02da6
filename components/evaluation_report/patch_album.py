"""Patches out of the examples, as pictures in the page."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from components.descriptor_evaluator.descriptors.store import read_patches
from trainer.core.variants import EVAL, VARIANTS
from trainer.data.manifest import Manifest


@dataclass(frozen=True)
class Place:
    """One patch.

    Attributes:
        sequence: Image sequence.
        index: Number of the point within it.
        variant: `ref`, `e1`, ...
    """

    sequence: str
    index: int
    variant: str


def read(examples: str, manifest: Manifest, places: Iterable[Place]) -> dict[Place, np.ndarray]:
    """Reads some patches of the evaluation split, uint8 [65, 65] by place.

    Args:
        examples: Folder of the examples.
        manifest: Manifest of the examples.
        places: Which patches; those of sequences that the split does not hold are left out.

    Raises:
        UserError: When a shard cannot be read.
    """
    wanted: dict[str, set[Place]] = {}
    for place in places:
        wanted.setdefault(place.sequence, set()).add(place)
    by_place = {}
    for entry in manifest.splits.get(EVAL, ()):
        here = [place for place in wanted.get(entry.name, ()) if place.index < entry.count]
        if not here:
            continue
        patches = read_patches(examples, entry, most=max(place.index for place in here) + 1)
        for place in here:
            by_place[place] = patches[place.index, VARIANTS.index(place.variant)].copy()
    return by_place


def data_uri(pixels: np.ndarray, size: int | None = None) -> str:
    """Returns a PNG as a data URI.

    Args:
        pixels: uint8 [height, width] grey or [height, width, 3] RGB.
        size: Side to shrink to (by area averages); None leaves it as it is.
    """
    if size is not None and size < max(pixels.shape[:2]):
        pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise ValueError(f"cannot encode {pixels.shape} as PNG")
    return uri("image/png", data.tobytes())


def uri(kind: str, content: bytes) -> str:
    """Returns content of a MIME type as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"

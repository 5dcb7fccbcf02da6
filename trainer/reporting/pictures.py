"""Patches laid out for people to look at: triplets with their distances, sprite sheets."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from trainer.reporting.triplets import Triplets

GREEN, RED = (30, 150, 60), (205, 40, 40)
_SCALE = 3  # a patch is drawn so many times its size
_FRAME = 4  # pixels around the patches of a triplet and between them
_GAP = 12  # pixels between triplets
_COLUMNS = 2
_INK = 40
_PAPER = 255
_TEXT_HEIGHT = 14  # pixels


def triplet_picture(patches: np.ndarray, triplets: Triplets) -> np.ndarray:
    """Draws triplets as anchor, positive and negative, in two columns from the top left.

    The frame is green where the positive is nearer than the negative, and red where not;
    below the positive and the negative stand their distances from the anchor.

    Args:
        patches: uint8 [N, h, w], the batch the triplets are from.
        triplets: At least one.

    Returns:
        uint8 [H, W, 3].
    """
    drawn = [
        _triplet(patches[list(rows)], pair, right)
        for rows, pair, right in zip(
            zip(triplets.anchor, triplets.positive, triplets.negative, strict=True),
            zip(triplets.positive_distance, triplets.negative_distance, strict=True),
            triplets.right,
            strict=True,
        )
    ]
    height, width = (size + _GAP for size in drawn[0].shape[:2])
    columns = min(_COLUMNS, len(drawn))
    rows = math.ceil(len(drawn) / columns)
    picture = np.full((rows * height - _GAP, columns * width - _GAP, 3), _PAPER, np.uint8)
    for number, one in enumerate(drawn):
        top, left = number // columns * height, number % columns * width
        picture[top : top + one.shape[0], left : left + one.shape[1]] = one
    return picture


def _triplet(patches: np.ndarray, pair: tuple[float, float], right: bool) -> np.ndarray:
    """Draws one triplet from its three patches, uint8 [3, h, w]."""
    large = patches.repeat(_SCALE, 1).repeat(_SCALE, 2)
    high, wide = large.shape[1:]
    below = _TEXT_HEIGHT + 2 * _FRAME
    drawn = np.full((high + 2 * _FRAME + below, 3 * wide + 4 * _FRAME, 3), _PAPER, np.uint8)
    drawn[: high + 2 * _FRAME] = GREEN if right else RED
    for place, patch in enumerate(large):
        left = _FRAME + place * (wide + _FRAME)
        drawn[_FRAME : _FRAME + high, left : left + wide] = patch[..., None]
        if place:
            text = caption(f"{pair[place - 1]:.2f}", wide)
            top = high + 3 * _FRAME
            drawn[top : top + text.shape[0], left : left + text.shape[1]] = text[..., None]
    return drawn


def caption(text: str, width: int) -> np.ndarray:
    """Writes a text in Pillow's own font, uint8 [14, width]; what does not fit is cut off."""
    picture = Image.new("L", (width, _TEXT_HEIGHT), _PAPER)
    ImageDraw.Draw(picture).text((0, 0), text, fill=_INK)
    return np.asarray(picture)


def sprite_sheet(patches: np.ndarray) -> np.ndarray:
    """Lays patches out as TensorBoard's projector wants them: row by row in a square grid.

    Args:
        patches: uint8 [N, h, w], at least one.

    Returns:
        uint8 [side * h, side * w] for the smallest side whose square holds them; the
        rest is black.
    """
    count, height, width = patches.shape
    side = math.ceil(math.sqrt(count))
    cells = np.zeros((side * side, height, width), np.uint8)
    cells[:count] = patches
    rows = cells.reshape(side, side, height, width).transpose(0, 2, 1, 3)
    return rows.reshape(side * height, side * width)

"""Finds copies of one picture, so that they count as one scene.

Byte for byte, re-encoded, resized, in grey, brighter or behind a symbolic link: what is compared
are small high-passed thumbnails. Copies correlate by .95 and more there, photographs of one
place from neighbouring viewpoints by at most .77.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import cv2
import numpy as np

from components.example_gen.formats import images
from components.example_gen.formats.base import SequenceInput, Thumbnail
from trainer.core.progress import report

_SIDE = 64
_HIGH_PASS = 3.0  # sigma in pixels of the thumbnail
_ALIKE = 0.9  # least correlation
_BLOCK = 1024
_SHOWN = 5


def thumbnail(item: SequenceInput) -> np.ndarray:
    """Returns what copies of the first file of a sequence share, float32 [D].

    Returns:
        Of length 1, so that products are correlations; zeros for a picture without content.

    Raises:
        UserError: When the file is no image.
    """
    picture = images.read_small(item.files[0], 2 * _SIDE)
    small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= cv2.GaussianBlur(small, (0, 0), _HIGH_PASS)
    flat = (small - small.mean()).ravel()
    length = float(np.linalg.norm(flat))
    return flat / length if length > _SIDE else np.zeros_like(flat)  # 1 grey level


def join(
    inputs: Sequence[SequenceInput],
    root: str,
    thumbnail: Thumbnail,
    tested: Collection[str] = (),
) -> tuple[list[SequenceInput], list[str]]:
    """Gives the sequences of copies one scene.

    Args:
        inputs: Image sequences; the first file of each shows its scene.
        root: Data folder, which names of files in sentences are relative to.
        thumbnail: Returns the thumbnail of an image sequence, as `copies.thumbnail` does.
        tested: Test sequences of a published split, which is taken as it is: they keep scenes
            of their own.

    Returns:
        The sequences in their order, and sentences on the copies.

    Raises:
        UserError: When a file cannot be read.
    """
    by_path = {item.files[0]: item for item in inputs}
    numbers, paths = count(), list(by_path)

    def read(path: str) -> np.ndarray:
        report("looking for copies", next(numbers), len(paths), posixpath.basename(path))
        return thumbnail(by_path[path])

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoders run outside of Python's lock
        vectors = np.stack(list(pool.map(read, paths)))
    scenes = [by_path[path].scene for path in paths]
    names = [posixpath.relpath(path, root) for path in paths]
    sides = [by_path[path].name in tested for path in paths]
    pairs = _pairs(vectors)
    apart = [(a, b) for a, b in pairs if sides[a] != sides[b]]
    joined = _joined_scenes(scenes, [(a, b) for a, b in pairs if sides[a] == sides[b]])
    groups: dict[str, list[str]] = {}
    for name, scene in zip(names, scenes, strict=True):
        if scene in joined:
            groups.setdefault(joined[scene], []).append(name)
    changed = [replace(item, scene=joined.get(item.scene, item.scene)) for item in inputs]
    remarks = []
    if groups:
        remarks.append(
            f"copies of one picture count as one scene, so that they stay on one side of the "
            f"split: {_some(list(groups.values()))}"
        )
    if apart:
        remarks.append(
            f"copies of one picture are trained on and tested on, as the published split has "
            f"it: {_some([[names[a], names[b]] for a, b in apart])}"
        )
    return changed, remarks


def _pairs(vectors: np.ndarray) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(vectors), _BLOCK):
        alike = vectors[start : start + _BLOCK] @ vectors.T > _ALIKE
        rows, columns = np.nonzero(np.triu(alike, k=start + 1))
        pairs.extend(zip((rows + start).tolist(), columns.tolist(), strict=True))
    return pairs


def _joined_scenes(scenes: Sequence[str], pairs: Sequence[tuple[int, int]]) -> dict[str, str]:
    """Returns scene -> first scene by name, of those that pairs of their pictures connect."""
    group_of = {scene: {scene} for scene in scenes}
    for first, second in pairs:
        group = group_of[scenes[first]] | group_of[scenes[second]]
        group_of |= dict.fromkeys(group, group)
    return {scene: min(group) for scene, group in group_of.items() if len(group) > 1}


def _some(groups: Sequence[Sequence[str]]) -> str:
    """Names the files of the first groups of what may be many."""
    shown = sorted(" = ".join(sorted(group)) for group in groups)
    rest = len(shown) - _SHOWN
    return "; ".join(shown[:_SHOWN]) + (f"; and {rest} more" if rest > 0 else "")

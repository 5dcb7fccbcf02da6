"""How the files of an image sequence are named, and what a data folder holds by its names.

| | images | homographies |
|---|---|---|
| HPatches | `1.ppm` .. `6.ppm` | `H_1_2` or `H_ref_2` .. `H_1_6` |
| Oxford affine regions | `img1.ppm` .. `img6.ppm` | `H1to2p` .. `H1to6p` |
"""

from __future__ import annotations

import re
from collections.abc import Collection

from components.core import files

PHOTOGRAPH_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".webp",
)  # fmt: skip
_LOOKED_AT = 20  # folders, to recognise what a data folder holds
_STRIPS = {"ref.png", "e1.png"}
EXPECTED = "images 1.ppm .. 6.ppm (or img1.png and so on) and homographies H_1_2 .. H_1_6"
_SUFFIXES = "|".join(suffix[1:] for suffix in PHOTOGRAPH_SUFFIXES)
_IMAGE = re.compile(rf"(?:img)?(\d+)\.(?:{_SUFFIXES})", re.IGNORECASE)
_HOMOGRAPHY = re.compile(r"(?:H_(?:1|ref)_|H1to)(\d+)p?(?:\.txt)?", re.IGNORECASE)


def is_photograph(name: str) -> bool:
    """Whether a file is taken for an image by its name."""
    return name.lower().endswith(PHOTOGRAPH_SUFFIXES)


def by_number(folder: str) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Lists images and homographies of a folder.

    Returns:
        Names of the files of each image, and of the homographies to it, by its number.

    Raises:
        UserError: When the folder cannot be read.
    """
    found: dict[int, list[str]] = {}
    homographies: dict[int, list[str]] = {}
    for name in files.list_folder(folder):
        image, number = _IMAGE.fullmatch(name), homography_number(name)
        if image:
            found.setdefault(int(image[1]), []).append(name)
        elif number is not None:
            homographies.setdefault(number, []).append(name)
    return found, homographies


def homography_number(name: str) -> int | None:
    """Returns the number of the image that a homography leads to; None of another file.

    Example:
        >>> homography_number("H_ref_3"), homography_number("H1to4p"), homography_number("a")
        (3, 4, None)
    """
    match = _HOMOGRAPHY.fullmatch(name)
    return int(match[1]) if match else None


def recognise(root: str) -> str | None:
    """Returns the name of the format that a data folder seems to have; None when it is unclear."""
    if not files.is_folder(root):
        return None
    names = files.list_folder(root)
    folders = [files.join(root, name) for name in names if files.is_folder(files.join(root, name))]
    for folder in folders[:_LOOKED_AT]:
        if found := of_sequence(files.list_folder(folder)):
            return found
    return "photos" if any(is_photograph(name) for name in names) else None


def of_sequence(names: Collection[str]) -> str | None:
    """Returns the format of a folder that is an image sequence by its files; None of others."""
    if _STRIPS.issubset(names):
        return "strips"
    return "sequences" if any(homography_number(name) is not None for name in names) else None

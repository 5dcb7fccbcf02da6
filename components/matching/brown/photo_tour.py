"""Brown's PhotoTour patches (liberty, notredame, yosemite): reading a set and its pairs.

A set is a folder of `patches0000.bmp`, `patches0001.bmp`, ..., each 1024 x 1024 grey pixels
with 16 x 16 patches of 64 x 64 in rows, and `info.txt`, whose line i begins with the number of
the 3-D point that patch i shows. Pairs are text files such as `m50_100000_100000_0.txt`, whose
lines hold, for both patches, the patch, its 3-D point and a number without meaning here; a pair
is a match when the points are the same.

Source: Winder and Brown, "Learning Local Image Descriptors", CVPR 2007; Brown, Hua and Winder,
"Discriminative Learning of Local Image Descriptors", PAMI 2011.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from components.core import files
from components.example_gen.formats import images
from trainer.core.errors import UserError

SIDE = 64
ACROSS = 16
PER_FILE = ACROSS * ACROSS
INFO = "info.txt"
_SHEET = re.compile(r"patches(\d+)\.bmp", re.IGNORECASE)
_PAIRS = re.compile(r"m\d+_\d+_\d+_\d+\.txt")
_PAIR_COLUMNS = (0, 1, 3, 4)  # patch, point, (unused), patch, point, (unused) ...


@dataclass(frozen=True)
class PhotoTour:
    """A set of patches.

    Attributes:
        folder: Where it lies.
        sheets: BMP files, in order.
        points: int64 [N], 3-D point of each patch.
    """

    folder: str
    sheets: tuple[str, ...]
    points: np.ndarray


@dataclass(frozen=True)
class Pairs:
    """Pairs of patches.

    Attributes:
        first: int64 [P], numbers of patches.
        second: int64 [P].
        match: bool [P], whether both show the same 3-D point.
    """

    first: np.ndarray
    second: np.ndarray
    match: np.ndarray


def open_set(folder: str) -> PhotoTour:
    """Lists a set and reads its `info.txt`.

    Raises:
        UserError: When the folder is no such set, a file is missing or `info.txt` names more
            patches than there are.
    """
    listed = files.list_folder(folder)
    numbers = {int(match[1]): name for name in listed if (match := _SHEET.fullmatch(name))}
    if INFO not in listed or not numbers:
        lacks = INFO if numbers else "patches0000.bmp and so on"
        raise UserError(
            f"{folder}: lacks {lacks}, expected a PhotoTour set (patches*.bmp of {ACROSS} x "
            f"{ACROSS} patches, info.txt and pair files m50_*.txt)"
        )
    missing = sorted(set(range(max(numbers) + 1)) - set(numbers))
    if missing:
        raise UserError(f"{folder}: lacks patches{missing[0]:04d}.bmp, expected all up to the last")
    sheets = tuple(files.join(folder, numbers[number]) for number in range(len(numbers)))
    points = _read_numbers(files.join(folder, INFO), (0,))[:, 0]
    if len(points) > len(sheets) * PER_FILE:
        raise UserError(
            f"{files.join(folder, INFO)}: has {len(points)} lines, but {len(sheets)} files of "
            f"patches hold {len(sheets) * PER_FILE}; copy the set again"
        )
    return PhotoTour(folder, sheets, points)


def choose_pairs_file(tour: PhotoTour) -> str:
    """Returns the only pair file of a set.

    Raises:
        UserError: When there is none, or more than one.
    """
    names = [name for name in files.list_folder(tour.folder) if _PAIRS.fullmatch(name)]
    if len(names) != 1:
        named = ", ".join(names) or "none"
        raise UserError(
            f"{tour.folder}: holds {len(names)} files of pairs ({named}), expected one; say with "
            f"--pairs which (the published results are of m50_100000_100000_0.txt)"
        )
    return files.join(tour.folder, names[0])


def read_pairs(tour: PhotoTour, path: str) -> Pairs:
    """Reads a file of pairs.

    Raises:
        UserError: When it is not as expected, does not belong to the set, or has no match or no
            pair of different points.
    """
    table = _read_numbers(path, _PAIR_COLUMNS)
    if not len(tour.points):
        raise UserError(f"{files.join(tour.folder, INFO)}: is empty, expected a line per patch")
    patches, points = table[:, [0, 2]], table[:, [1, 3]]
    beyond = (patches < 0) | (patches >= len(tour.points))
    wrong = beyond | (points != tour.points[np.where(beyond, 0, patches)])
    if wrong.any():
        row, side = (int(place[0]) for place in np.nonzero(wrong))
        patch, point = patches[row, side], points[row, side]
        there = "the set does not have" if beyond[row, side] else "shows another point in info.txt"
        raise UserError(
            f"{path}, pair {row + 1}: patch {patch} of point {point} {there}, expected pairs of "
            f"the set in {tour.folder}"
        )
    match = points[:, 0] == points[:, 1]
    if match.all() or not match.any():
        kind = "different points" if match.all() else "the same point"
        raise UserError(f"{path}: holds no pair of {kind}, expected both kinds")
    return Pairs(patches[:, 0], patches[:, 1], match)


def read_patches(tour: PhotoTour, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Reads patches, a file at a time.

    Args:
        tour: The set.
        wanted: int64 [M], numbers of patches, ascending, each once.

    Yields:
        Places in `wanted`, int64 [m], and their patches, uint8 [m, 64, 64].

    Raises:
        UserError: When a file is damaged or of another size.
    """
    sheet_of = wanted // PER_FILE
    for number in np.unique(sheet_of):
        places = np.flatnonzero(sheet_of == number)
        yield places, _read_sheet(tour.sheets[number])[wanted[places] % PER_FILE]


def _read_sheet(path: str) -> np.ndarray:
    """Returns the patches of a file, uint8 [256, 64, 64]."""
    pixels = images.read_grey(path)
    side = SIDE * ACROSS
    if pixels.shape != (side, side):
        height, width = pixels.shape
        raise UserError(f"{path}: is {width}x{height} pixels, expected {side}x{side}")
    grid = pixels.reshape(ACROSS, SIDE, ACROSS, SIDE).swapaxes(1, 2)
    return grid.reshape(PER_FILE, SIDE, SIDE)


def _read_numbers(path: str, columns: tuple[int, ...]) -> np.ndarray:
    """Returns columns of a table between white space, int64 [rows, len(columns)]."""
    lines = [line.split() for line in files.read_text(path).splitlines() if line.strip()]
    least = max(columns) + 1
    for number, line in enumerate(lines, start=1):
        if len(line) < least:
            raise UserError(
                f"{path}, line {number}: holds {len(line)} numbers, expected at least {least}"
            )
    try:
        table = [[int(line[column]) for column in columns] for line in lines]
        return np.array(table, np.int64).reshape(-1, len(columns))
    except (ValueError, OverflowError) as error:
        raise UserError(
            f"{path}: is not numeric ({error}), expected integers of at most 64 bits"
        ) from error

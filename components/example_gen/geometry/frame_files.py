"""Frames that are given: points of an image sequence whose places another program chose."""

from __future__ import annotations

import csv
import io

import numpy as np

from components.core import files
from components.example_gen.geometry import frames
from trainer.core.errors import UserError

FILE_NAME = "frames.csv"
_COLUMNS = ("x", "y", "half_width", "angle_deg")


def find(folder: str) -> str | None:
    """Returns the file of frames in the folder of an image sequence, if there is one.

    Raises:
        UserError: As `read`.
    """
    path = files.join(folder, FILE_NAME)
    if not files.exists(path):
        return None
    read(path)
    return path


def read(path: str) -> np.ndarray:
    """Reads frames: a CSV file with the columns x, y, half_width and angle_deg.

    x and y are pixels from the centre of the first one, half_width is half the side of the square
    in pixels (its outermost samples lie there), angle_deg turns the square from the x-axis
    towards the y-axis (downwards). Rows without an x are passed over; other columns are, too.

    Args:
        path: The file.

    Returns:
        float64 [N, 3, 3], half-width coordinates to pixels, in the order of the rows.

    Raises:
        UserError: When a column is missing, a value is no number or a half-width not positive.
    """
    rows = list(csv.DictReader(io.StringIO(files.read_text(path))))
    missing = [column for column in _COLUMNS if not rows or column not in rows[0]]
    if missing:
        raise UserError(
            f"{path}: has no column {missing[0]!r}, expected rows with {', '.join(_COLUMNS)}"
        )
    values = []
    for number, row in enumerate(rows, start=2):
        if not row["x"]:
            continue
        try:
            value = [float(row[column]) for column in _COLUMNS]
        except (TypeError, ValueError):
            value = [np.nan]
        if not np.isfinite(value).all() or value[2] <= 0:
            found = ", ".join(str(row[column]) for column in _COLUMNS)
            raise UserError(
                f"{path}: row {number} holds {found}, expected numbers for "
                f"{', '.join(_COLUMNS)}, the half-width above 0"
            )
        values.append(value)
    if not values:
        raise UserError(f"{path}: holds no frame, expected a row for each point")
    table = np.array(values)
    return frames.from_detections(table[:, :3], np.deg2rad(table[:, 3]), 1.0)

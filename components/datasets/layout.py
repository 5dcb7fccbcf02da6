"""Whether a folder holds the data set that it should: its layout and its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from components.core import files
from components.datasets.catalogue import Dataset
from components.example_gen.settings import DataSettings
from trainer.core.errors import UserError
from trainer.core.variants import kind_of

_KINDS = {"i": "illumination", "v": "viewpoint"}


def root_of(folder: Path) -> Path:
    """Returns the folder that holds the data: archives often wrap it in one or two others."""
    while True:
        names = files.list_folder(str(folder))
        if len(names) != 1 or not (folder / names[0]).is_dir():
            return folder
        folder /= names[0]


def check(folder: Path, dataset: Dataset) -> str:
    """Looks at every file's name and header, and counts.

    Args:
        folder: Root of the data.
        dataset: What it should be.

    Returns:
        What was found, in words.

    Raises:
        UserError: When something is missing, too much or not as the layout says.
    """
    if dataset.layout == "photo_tour":
        return _check_photo_tour(folder, dataset)
    return _check_sequences(folder, dataset)


def _check_sequences(folder: Path, dataset: Dataset) -> str:
    from components.example_gen.formats import reading  # imports OpenCV and SciPy

    inputs, _ = reading.list_sequences(dataset.layout, str(folder), DataSettings())
    counts = Counter(kind_of(item.name) for item in inputs)
    if counts != Counter(dataset.sequences):
        expected = _in_words(dataset.sequences)
        raise UserError(f"{dataset.name}: found {_in_words(counts)}, expected {expected}")
    return _in_words(counts)


def _check_photo_tour(folder: Path, dataset: Dataset) -> str:
    from components.matching.brown import photo_tour  # imports OpenCV

    tour = photo_tour.open_set(str(folder))
    patches = len(tour.points)
    sheets = -(-dataset.patches // photo_tour.PER_FILE)
    if patches != dataset.patches or len(tour.sheets) != sheets:
        raise UserError(
            f"{dataset.name}: found {patches} patches in info.txt and {len(tour.sheets)} files of "
            f"them, expected {dataset.patches} in {sheets}"
        )
    return f"{patches} patches of {len(set(tour.points.tolist()))} points"


def _in_words(counts: Mapping[str, int]) -> str:
    parts = [f"{counts[kind]} of {_KINDS.get(kind, 'other')}" for kind in sorted(counts)]
    return f"{sum(counts.values())} image sequences ({', '.join(parts)})"

"""Real patches that an export is calibrated on and compared with."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components.example_gen.formats import demo_photographs, reading
from components.example_gen.registry import PHOTOS, STRIPS
from components.example_gen.settings import DataSettings
from trainer.core import progress
from trainer.core.errors import UserError
from trainer.core.variants import VAL

# Photographs with texture everywhere, out of those that scikit-image ships.
_PHOTOGRAPHS = ("chelsea", "coffee", "grass", "motorcycle_left")
_POINTS = 60
_MOST_SEQUENCES = 16
_CALIBRATION = 320  # patches


class RealPatches(NamedTuple):
    """Patches of image sequences.

    Attributes:
        compared: uint8 [N, 16, 65, 65] per image sequence.
        calibration: uint8 [M, 65, 65], of other image sequences; empty where there is one only.
        origin: Where they come from, in words.
    """

    compared: dict[str, np.ndarray]
    calibration: np.ndarray
    origin: str


def load(data: str | None, identity: dict[str, Any]) -> RealPatches:
    """Reads or cuts patches: of a patch release, or of photographs that are installed.

    Those that chose the model's checkpoint (its validation sequences) are for calibration,
    where the release has them; otherwise every other image sequence is.

    Args:
        data: HPatches patch release; None for the installed photographs.
        identity: Of the model.

    Raises:
        UserError: When the release cannot be read.
    """
    if data is None:
        with tempfile.TemporaryDirectory(prefix="hpatches-export-") as folder:
            settings = DataSettings(format=PHOTOS, max_points=_POINTS)
            return _split(_of_photographs(Path(folder), settings), identity, "scikit-image")
    settings = DataSettings(format=STRIPS)
    inputs, _ = reading.list_sequences(STRIPS, data, settings)
    chosen = np.unique(np.linspace(0, len(inputs) - 1, _MOST_SEQUENCES).astype(int))
    return _split(_read([inputs[k] for k in chosen], settings), identity, data)


def _of_photographs(folder: Path, settings: DataSettings) -> dict[str, np.ndarray]:
    demo_photographs.materialise(folder)
    for file in folder.iterdir():
        if file.stem not in _PHOTOGRAPHS:
            file.unlink()
    inputs, _ = reading.list_sequences(PHOTOS, str(folder), settings)
    return _read(inputs, settings)


def _read(inputs: list[Any], settings: DataSettings) -> dict[str, np.ndarray]:
    by_sequence = {}
    for number, item in enumerate(inputs):
        progress.report("reading patches", number, len(inputs), item.name)
        patches = reading.load_sequence(item, settings).patches
        if len(patches) > 1:
            by_sequence[item.name] = patches
    return by_sequence


def _split(sequences: dict[str, np.ndarray], identity: dict[str, Any], origin: str) -> RealPatches:
    if not sequences:
        raise UserError(f"{origin}: no image sequence has two points, expected patches to compare")
    names = sorted(sequences)
    validation = set(identity.get("sequences", {}).get(VAL, ()))
    kept = [name for name in names if name in validation]
    if not kept or len(kept) == len(names):
        kept = names[1::2]
    chosen = [sequences[name].reshape(-1, *sequences[name].shape[2:]) for name in kept]
    pool = np.concatenate(chosen) if chosen else np.empty((0, 1, 1), np.uint8)
    places = np.linspace(0, len(pool) - 1, min(len(pool), _CALIBRATION)).astype(int)
    compared = {name: sequences[name] for name in names if name not in kept}
    return RealPatches(compared, pool[places], origin)

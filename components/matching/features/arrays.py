"""Features as NumPy's npz: arrays named `<photograph>/<what>`, for own programs.

`keypoints` [N, 4] are x, y, sigma and angle; `descriptors` [N, D], `scores` [N] and `image_size`
(width, height) beside them. The array `descriptor.json` holds what is known of the descriptor.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from components.matching.features import new_file
from components.matching.features.features import (
    Add,
    Features,
    checked,
    read_identity,
    told_damaged,
)
from trainer.core.errors import UserError

_IDENTITY = "descriptor.json"


@contextlib.contextmanager
def writing_features(path: str, identity: dict[str, Any]) -> Iterator[Add]:
    """Opens a new npz file; see `features.Writer`."""
    with new_file.writing(path) as place, zipfile.ZipFile(place, "w") as file:

        def put(name: str, values: np.ndarray) -> None:
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, values, allow_pickle=False)

        def add(features: Features) -> None:
            keypoints = np.hstack([features.positions, features.angles[:, None]])
            put(f"{features.name}/keypoints", keypoints)
            put(f"{features.name}/descriptors", features.descriptors)
            put(f"{features.name}/scores", features.scores)
            size = np.array([features.camera.width, features.camera.height])
            put(f"{features.name}/image_size", size)

        put(_IDENTITY, np.array(json.dumps(identity)))
        yield add


class FeaturesFile:
    """A npz file that is read; see `features.Store`."""

    def __init__(self, path: str) -> None:
        self.path = path
        with told_damaged(path, "features in npz"):
            self._file = np.load(path, allow_pickle=False)
            names = [name.removesuffix("/keypoints") for name in self._file.files]
            names = [name for name in names if f"{name}/descriptors" in self._file.files]
            self.counts = {name: len(self._file[f"{name}/keypoints"]) for name in names}
            told = str(self._file[_IDENTITY]) if _IDENTITY in self._file.files else None
        self.identity = read_identity(path, told)
        if not self.counts:
            raise UserError(f"{path}: holds no features, expected what `hpatches features` wrote")

    def descriptors(self, name: str) -> np.ndarray:
        """Returns a photograph's descriptors, float32 [N, D]."""
        with told_damaged(self.path, "features in npz"):
            return checked(self.path, name, self._file[f"{name}/descriptors"], self.counts[name])

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

"""hloc's `features.h5` and `matches.h5`.

A group for each photograph, named as it is, with `keypoints` [N, 2], `scores` [N],
`descriptors` [D, N], `image_size` (width, height), and as hloc's DoG has them `scales` [N] and
`oris` [N]. The centre of the first pixel is (0, 0), as here; hloc adds the half pixel that COLMAP
wants. A pair's group is `name0/name1`, slashes within names as hyphens, with `matches0` [N0]
(rows of the second photograph, -1 for none) and `matching_scores0` [N0].

Source: hloc/extract_features.py, hloc/match_features.py (Sarlin et al., CVPR 2019).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import numpy as np

from components.matching.features import new_file
from components.matching.features.features import (
    Add,
    Features,
    checked,
    read_identity,
    told_damaged,
)
from components.matching.mutual import Matches
from trainer.core.errors import UserError

_IDENTITY = "hpatches"  # attribute of the whole file
_UNCERTAINTY = 1.0  # pixels; hloc's for all detectors that say nothing


@contextlib.contextmanager
def writing_features(path: str, identity: dict[str, Any]) -> Iterator[Add]:
    """Opens a new `features.h5`; see `features.Writer`."""
    with new_file.writing(path) as place, h5py.File(place, "w") as file:
        file.attrs[_IDENTITY] = json.dumps(identity)

        def add(features: Features) -> None:
            group = file.create_group(features.name)
            keypoints = group.create_dataset("keypoints", data=features.positions[:, :2])
            keypoints.attrs["uncertainty"] = _UNCERTAINTY
            group.create_dataset("scores", data=features.scores)
            # Half precision, as hloc stores them; the error is below 0.001 of a unit vector.
            group.create_dataset("descriptors", data=features.descriptors.T.astype(np.float16))
            group.create_dataset("scales", data=features.positions[:, 2])
            group.create_dataset("oris", data=features.angles)
            size = np.array([features.camera.width, features.camera.height])
            group.create_dataset("image_size", data=size)

        yield add


class FeaturesFile:
    """A `features.h5` that is read, ours or hloc's; see `features.Store`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.counts: dict[str, int] = {}
        with contextlib.ExitStack() as stack, told_damaged(path, "HDF5"):
            self._file = stack.enter_context(h5py.File(path, "r"))
            self._file.visititems(self._count)
            if not self.counts:
                raise UserError(f"{path}: holds no features, expected hloc's features.h5")
            self.identity = read_identity(path, self._file.attrs.get(_IDENTITY))
            stack.pop_all()

    def descriptors(self, name: str) -> np.ndarray:
        """Returns a photograph's descriptors, float32 [N, D]."""
        with told_damaged(self.path, "HDF5"):
            values = self._file[name]["descriptors"][()]
            return checked(self.path, name, values.T, self.counts[name])

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _count(self, name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and "descriptors" in item and "keypoints" in item:
            self.counts[name] = len(item["keypoints"])


AddMatches = Callable[[str, str, int, Matches], None]
"""Adds the matches of a pair: names, number of points of the first photograph, matches."""


@contextlib.contextmanager
def writing_matches(path: str) -> Iterator[AddMatches]:
    """Opens a new `matches.h5`, whole or not there in the end.

    `matching_scores0` is 1 less the ratio of a match, 0 where there is none.

    Raises:
        UserError: When it is there already, or cannot be written.
    """
    with new_file.writing(path) as place, h5py.File(place, "w") as file:

        def add(first: str, second: str, count: int, matches: Matches) -> None:
            group = file.create_group(pair_name(first, second))
            rows = np.full(count, -1, np.int32)
            rows[matches.first] = matches.second
            scores = np.zeros(count, np.float16)
            scores[matches.first] = 1 - matches.ratio
            group.create_dataset("matches0", data=rows)
            group.create_dataset("matching_scores0", data=scores)

        yield add


def pair_name(first: str, second: str) -> str:
    """Returns the name of a pair's group.

    Example:
        >>> pair_name("left/1.jpg", "right/1.jpg")
        'left-1.jpg/right-1.jpg'
    """
    return "/".join(name.replace("/", "-") for name in (first, second))

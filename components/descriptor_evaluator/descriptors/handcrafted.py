"""Registry of the handcrafted descriptors that a learned one has to beat.

A descriptor is a function from uint8 [M, h, h] to float32 [M, D]; it is named by module and
function, so that reading the registry does not import OpenCV.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from components.core.names import ROOTSIFT, ROOTSIFT_SMOOTHED
from trainer.core.errors import UserError

if TYPE_CHECKING:
    from components.descriptor_evaluator.descriptors.sift import SiftRecipe

_HERE = "components.descriptor_evaluator.descriptors"


@dataclass(frozen=True)
class Baseline:
    """Where a handcrafted descriptor is defined.

    Attributes:
        place: `module:function`.
        tuned: Whether the function also takes a `SiftRecipe`, which a run chooses on
            validation data.
    """

    place: str
    tuned: bool = False

    def load(self) -> Callable[..., np.ndarray]:
        """Imports the function."""
        return pkgutil.resolve_name(self.place)


BASELINES = {
    ROOTSIFT: Baseline(f"{_HERE}.sift:rootsift"),
    ROOTSIFT_SMOOTHED: Baseline(f"{_HERE}.sift:rootsift", tuned=True),
    "sift": Baseline(f"{_HERE}.sift:sift"),
    "sift-smoothed": Baseline(f"{_HERE}.sift:sift", tuned=True),
    "pixels": Baseline("trainer.data.pixels:pixels"),
    "orb": Baseline(f"{_HERE}.orb:orb"),
}


def get(name: str) -> Baseline:
    """Returns an entry of the registry.

    Raises:
        UserError: When there is none of that name.
    """
    if name not in BASELINES:
        raise UserError(f"there is no baseline '{name}', expected one of {', '.join(BASELINES)}")
    return BASELINES[name]


def describe(name: str, patches: np.ndarray, recipe: SiftRecipe | None = None) -> np.ndarray:
    """Describes patches, float32 [M, D].

    Args:
        name: One of `BASELINES`.
        patches: uint8 [M, h, h].
        recipe: Recipe of a tuned baseline; by default `sift.SMOOTHED`.

    Raises:
        UserError: When there is no baseline of that name.
    """
    baseline = get(name)
    if not baseline.tuned:
        return baseline.load()(patches)
    from components.descriptor_evaluator.descriptors import sift  # imports OpenCV

    return baseline.load()(patches, recipe or sift.SMOOTHED)


def describe_sequence(
    name: str, patches: np.ndarray, recipe: SiftRecipe | None = None
) -> np.ndarray:
    """Describes uint8 [N, 16, h, h] as float32 [16, N, D]."""
    count, variants = patches.shape[:2]
    flat = describe(name, patches.reshape(count * variants, *patches.shape[2:]), recipe)
    return np.ascontiguousarray(flat.reshape(count, variants, -1).swapaxes(0, 1))

"""What turns patches into descriptors, and whose fault it is when that fails."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from components.descriptor_evaluator.descriptors import csv_tree, handcrafted, saved_model
from trainer.core.errors import UserError

# TensorFlow is imported inside the functions: a Beam worker process that has not reached
# them yet then starts in one second instead of ten.

_MACHINERY = re.compile(
    r"\[Errno \d+\]"
    r"|\w*(?:OSError|IOError|MemoryError|ResourceExhaustedError|UnavailableError)[:(]"
)


@dataclass(frozen=True)
class Describer:
    """A model, stored descriptors, or a handcrafted descriptor: exactly one of the three.

    Attributes:
        name: `candidate`, `production`, or the name of a baseline or reference.
        model: Folder of a SavedModel with our serving signature, or an exported file.
        descriptors: Folder of a CSV tree.
        baseline: One of `handcrafted.BASELINES`.
        recipe: Values of a tuned baseline's `SiftRecipe`; empty for the default.
        judged: Whether it is a model that the gate judges; a failure of its own is then a
            finding, not the user's mistake.
        trusted: Whether a model is loaded whatever it does; see `safe_ops`.

    Raises:
        UserError: When not exactly one is given, or there is no such baseline.
    """

    name: str
    model: str = ""
    descriptors: str = ""
    baseline: str = ""
    recipe: tuple[tuple[str, float], ...] = ()
    judged: bool = True
    trusted: bool = False

    def __post_init__(self) -> None:
        given = [value for value in (self.model, self.descriptors, self.baseline) if value]
        if len(given) != 1:
            raise UserError(
                f"{len(given)} of --model, --descriptors and --baseline are given, expected one "
                f"of them"
            )
        if self.baseline:
            handcrafted.get(self.baseline)

    def load(self) -> Callable[[str, np.ndarray], np.ndarray]:
        """Returns a function from (sequence, uint8 [N, 16, 65, 65]) to float32 [16, N, D]."""
        if self.model:
            model = saved_model.load_model(self.model, self.trusted)
            return lambda _, patches: saved_model.describe_patches(model, patches)
        if self.descriptors:
            return lambda sequence, patches: csv_tree.read_sequence(
                self.descriptors, sequence, len(patches)
            )
        recipe = None
        if self.recipe:
            from components.descriptor_evaluator.descriptors.sift import SiftRecipe

            recipe = SiftRecipe(**dict(self.recipe))
        return lambda _, patches: handcrafted.describe_sequence(self.baseline, patches, recipe)

    @property
    def is_reference(self) -> bool:
        """Whether it is one that the user gives under `evaluation.references`."""
        return not self.judged and not self.baseline


class ModelError(Exception):
    """A model that cannot be scored; the message is a sentence for the verdict."""


def machinery_errors() -> tuple[type[Exception], ...]:
    """Returns what a failing machine raises: a full disk, no memory, a lost file system."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:  # who has not loaded it gets no errors of it
        return OSError, MemoryError
    errors = tensorflow.errors
    return OSError, MemoryError, errors.ResourceExhaustedError, errors.UnavailableError


def is_machinery(error: BaseException) -> bool:
    """Tells a failing machine (a full disk, no memory) from a failing program.

    Beam hands on a worker's exception as a cause or as text, in a sentence of its own.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, machinery_errors()):
            return True
        seen = seen.__cause__ or seen.__context__
    return bool(_MACHINERY.search(str(error)))


def reference_error(name: str, error: object) -> UserError:
    """Returns the error of a reference, with the key that names it."""
    said = " ".join(str(error).split())[:500]
    kind = "" if isinstance(error, UserError | str) else f"{type(error).__name__}: "
    return UserError(f"evaluation.references.{name}: {kind}{said}; fix it or leave it out")

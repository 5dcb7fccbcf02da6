"""What describes the points: an exported model, or a handmade descriptor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from components.descriptor_evaluator import baselines, describe
from components.example_gen.settings import ExtractionSettings
from trainer.errors import UserError

_KEY = "extraction"


@dataclass(frozen=True)
class Descriptor:
    """A way to describe patches.

    Attributes:
        name: `model`, or the baseline's.
        identity: The model's `descriptor_id`; None for baselines and models without.
        describe: uint8 [N, h, h] to float32 [N, D].
    """

    name: str
    identity: str | None
    describe: Callable[[np.ndarray], np.ndarray]


def load_model(path: str) -> Descriptor:
    """Loads an exported model as a descriptor.

    Args:
        path: Folder of a SavedModel.

    Raises:
        UserError: When it cannot be used.
    """
    model = describe.load_model(path)

    def describe_all(patches: np.ndarray) -> np.ndarray:
        return describe.describe_patches(model, patches[:, None])[0]

    return Descriptor("model", (model.identity or {}).get("descriptor_id"), describe_all)


def baseline(name: str) -> Descriptor:
    """Returns a handmade descriptor, one of `baselines.NAMES`."""
    return Descriptor(name, None, lambda patches: baselines.describe(name, patches))


def extraction_of(path: str) -> ExtractionSettings:
    """Reads how the patches were cut that a model was trained on.

    A model of photographs saw points of shrunk pictures, for which thresholds were lowered;
    photographs that are matched are taken as image sequences are, unshrunk. The size of a
    region in sigmas is the same for both, and that of HPatches' own patch release.

    Args:
        path: Folder of its SavedModel.

    Raises:
        UserError: When it does not say, or says what this version cannot do.
    """
    place = f"{path.rstrip('/')}/assets.extra/{describe.IDENTITY_FILE}"
    describe.check_folder(path)
    identity = describe.read_identity(path)
    if identity is None:
        raise UserError(
            f"{place}: is missing, expected what the model says of itself, as its points have to "
            f"be cut like those that it was trained on; export it with this project"
        )
    data = identity.get(_KEY)
    rules = data.get(_KEY) if isinstance(data, dict) else None
    if not isinstance(rules, dict):
        raise UserError(
            f"{place}: does not say how the patches were cut that the model was trained on "
            f"(extraction.extraction), expected what PatchExampleGen's manifest says; train it "
            f"on examples that this project made"
        )
    try:
        return ExtractionSettings.model_validate(rules)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in (_KEY, _KEY, *first["loc"]))
        raise UserError(
            f"{place}: {key}: this version cannot cut patches that way ({first['msg']}); use the "
            f"version that trained the model"
        ) from error

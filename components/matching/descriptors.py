"""What describes the points: an exported model, or a handcrafted descriptor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from components.descriptor_evaluator.descriptors import handcrafted, patch_identity, saved_model
from components.example_gen.settings import ExtractionSettings
from trainer.core.errors import UserError
from trainer.model.names import IDENTITY_FILE

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


def load_model(path: str, trusted: bool = False) -> Descriptor:
    """Loads an exported model as a descriptor; `trusted` is as for `saved_model.load_model`.

    Raises:
        UserError: When it cannot be used.
    """
    model = saved_model.load_model(path, trusted)

    def describe_all(patches: np.ndarray) -> np.ndarray:
        return saved_model.describe_patches(model, patches[:, None])[0]

    return Descriptor("model", (model.identity or {}).get("descriptor_id"), describe_all)


def baseline(name: str) -> Descriptor:
    """Returns a handcrafted descriptor, one of `handcrafted.BASELINES`."""
    return Descriptor(name, None, lambda patches: handcrafted.describe(name, patches))


def extraction_for(model: str | None) -> tuple[ExtractionSettings, tuple[str, ...]]:
    """Returns how the points of photographs are cut, and remarks on it.

    Args:
        model: Folder of the SavedModel that describes them; None when only a handcrafted
            descriptor does.

    Raises:
        UserError: As `extraction_of` does.
    """
    if model is None:
        return ExtractionSettings(), ()
    rules = extraction_of(model)
    if rules is not None:
        return rules, ()
    remark = (
        f"{model}: does not say how the patches were cut that it was trained on "
        f"({IDENTITY_FILE}); points are cut by the default rules, which may not suit it."
    )
    return ExtractionSettings(), (remark,)


def extraction_of(path: str) -> ExtractionSettings | None:
    """Reads how the patches were cut that a model was trained on.

    A model of photographs saw points of shrunk pictures, for which thresholds were lowered;
    photographs that are matched are taken as image sequences are, unshrunk. Region and
    smoothing are what the model says.

    Returns:
        None of a model that says nothing of itself, as one that was not exported here.

    Raises:
        UserError: When there is no model, or it says what this version cannot do.
    """
    place = f"{path.rstrip('/')}/{IDENTITY_FILE}"
    saved_model.check_folder(path)
    identity = saved_model.read_identity(path)
    if identity is None:
        return None
    data = identity.get(_KEY)
    rules = data.get(_KEY) if isinstance(data, dict) else None
    if not isinstance(rules, dict):
        raise UserError(
            f"{place}: does not say how the patches were cut that the model was trained on "
            f"(extraction.extraction), expected what PatchExampleGen's manifest says; train it "
            f"on examples that this project made"
        )
    try:
        valid = ExtractionSettings.model_validate(rules)
        patch = patch_identity.of_model(path)
        told = {"region": patch.measurement_region, "smoothing": patch.smoothing}
        return valid.model_copy(update=told)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in (_KEY, _KEY, *first["loc"]))
        raise UserError(
            f"{place}: {key}: this version cannot cut patches that way ({first['msg']}); use the "
            f"version that trained the model"
        ) from error

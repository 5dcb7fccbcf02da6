"""What a patch is to a model that lies in a folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from components.core import files
from components.descriptor_evaluator.descriptors import saved_model
from trainer.core.errors import UserError
from trainer.core.validation_messages import first_problem
from trainer.model import patch_identity
from trainer.model.names import IDENTITY_FILE
from trainer.model.patch_identity import MATCHING, PATCH, MatchingRule, PatchIdentity

_Part = TypeVar("_Part")


def of_model(path: str) -> PatchIdentity:
    """Returns what the patches of a SavedModel are.

    Args:
        path: Folder of the SavedModel, local or `gs://`. A model that says nothing of itself,
            or of its patches, is taken for one of the present cut.

    Raises:
        UserError: When there is no model, or its patches are cut as this version cannot.
    """
    return _read(path, PATCH, patch_identity.read_patch)


def matching_of_model(path: str) -> MatchingRule:
    """Returns how the descriptors of a SavedModel are matched; None where it was not chosen.

    Raises:
        UserError: When there is no model, or it says what this version does not know.
    """
    return _read(path, MATCHING, patch_identity.read_matching)


def _read(path: str, key: str, read: Callable[[dict[str, Any]], _Part]) -> _Part:
    saved_model.check_folder(path)
    try:
        return read(saved_model.read_identity(path) or {})
    except ValidationError as error:
        place = files.join(path, IDENTITY_FILE)
        raise UserError(
            f"{place}: {key}: this version does not know that ({first_problem(error)}); use the "
            f"version that trained the model"
        ) from error

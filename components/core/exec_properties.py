"""Settings that the pipeline hands to a component as JSON."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from trainer.core.errors import UserError
from trainer.core.validation_messages import first_problem

SettingsT = TypeVar("SettingsT", bound=BaseModel)


def read_settings(kind: type[SettingsT], text: str, section: str) -> SettingsT:
    """Reads the settings of a component, of a section of the configuration such as `training`.

    They were checked when they were written; what does not fit now was written by another
    version, as when an old compiled pipeline runs in a newer image.

    Raises:
        UserError: When they do not fit; names the key.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise UserError(
            f"{section}.{first_problem(error)}; compile the pipeline again with the version that "
            "runs it"
        ) from error

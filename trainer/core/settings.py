"""The base of every configuration class, and the names that settings had before."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

RENAMED = {
    "sequences_per_batch": "points_per_batch",
    "variants_per_sequence": "patches_per_point",
    "source": "format",
    "look_alikes": "same_sequence_fraction",
}
"""Present names of settings by the names they had; of any class that has the present one."""


class Settings(BaseModel):
    """A frozen pydantic model that refuses unknown keys, NaN and infinity.

    Texts are taken for the numbers they show: YAML reads `1e-2` as a text.

    Example:
        >>> class Optimizer(Settings):
        ...     learning_rate: float = 1e-2
        >>> Optimizer(learning_rate=0.1).learning_rate
        0.1
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_earlier_names(cls, values: Any) -> Any:
        for old in RENAMED.keys() & values.keys() if isinstance(values, dict) else ():
            if old not in cls.model_fields and RENAMED[old] in cls.model_fields:
                raise ValueError(f"{old} was renamed: write {RENAMED[old]} instead")
        return values

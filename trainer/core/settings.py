"""The base of every configuration class, and the names that settings had before."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

RENAMED = {
    "sequences_per_batch": "points_per_batch",
    "variants_per_sequence": "patches_per_point",
    "look_alikes": "same_sequence_fraction",
    "source": "format",
}
"""Present names of settings by the names they had."""


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

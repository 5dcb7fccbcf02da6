"""The base of every configuration class."""

from pydantic import BaseModel, ConfigDict


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

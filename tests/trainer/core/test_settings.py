"""The base of the configuration classes."""

import pytest
from pydantic import ValidationError

from trainer.core.settings import Settings


class _Example(Settings):
    rate: float = 0.1
    steps: int = 3


@pytest.mark.parametrize(
    ("key", "value"),
    [("rates", 1.0), ("steps", "many"), ("rate", float("nan")), ("rate", float("inf"))],
)
def test_unknown_keys_wrong_types_and_infinite_numbers_are_refused(key, value):
    with pytest.raises(ValidationError) as caught:
        _Example.model_validate({key: value})
    assert caught.value.errors()[0]["loc"] == (key,)


def test_settings_are_frozen_and_compare_by_value():
    assert _Example() == _Example(rate=0.1)
    with pytest.raises(ValidationError):
        _Example().rate = 0.2

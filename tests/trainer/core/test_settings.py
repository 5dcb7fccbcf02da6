"""The base of the configuration classes."""

import pytest
from pydantic import ValidationError

from trainer.core.settings import Settings


class _Example(Settings):
    rate: float = 0.1
    steps: int = 3


def test_unknown_key_is_refused_with_its_name():
    with pytest.raises(ValidationError) as caught:
        _Example.model_validate({"rates": 1.0})
    assert caught.value.errors()[0]["loc"] == ("rates",)


def test_wrong_type_is_refused():
    with pytest.raises(ValidationError):
        _Example.model_validate({"steps": "many"})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_must_be_finite(value):
    with pytest.raises(ValidationError):
        _Example(rate=value)


def test_settings_are_frozen_and_compare_by_value():
    assert _Example() == _Example(rate=0.1)
    with pytest.raises(ValidationError):
        _Example().rate = 0.2

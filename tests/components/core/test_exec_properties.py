"""Settings that the pipeline hands to a component."""

import pytest

from components.core import exec_properties
from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError


def test_what_was_written_is_read():
    config = TrainerConfig(seed=7)
    assert (
        exec_properties.read_settings(TrainerConfig, config.model_dump_json(), "training") == config
    )


def test_settings_of_another_version_are_told_by_their_key():
    with pytest.raises(UserError) as refused:
        exec_properties.read_settings(TrainerConfig, '{"model": {"depth": 3}}', "training")
    assert str(refused.value).startswith("training.model.depth: ")
    assert "compile the pipeline again" in str(refused.value)

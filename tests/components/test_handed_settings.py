"""Settings that the pipeline hands to a component."""

import pytest

from components import handed_settings
from trainer.config import TrainerConfig
from trainer.errors import UserError


def test_what_was_written_is_read():
    config = TrainerConfig(seed=7)
    assert handed_settings.read(TrainerConfig, config.model_dump_json(), "training") == config


def test_settings_of_another_version_are_told_by_their_key():
    with pytest.raises(UserError) as refused:
        handed_settings.read(TrainerConfig, '{"model": {"depth": 3}}', "training")
    assert str(refused.value).startswith("training.model.depth: ")
    assert "compile the pipeline again" in str(refused.value)

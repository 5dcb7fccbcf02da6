import json

import pytest
from tfx.types import standard_artifacts

from components.serving.production_model import served_model
from components.serving.production_model.executor import Executor
from tests.components.serving.production_model import saved_model_folders
from tests.support.artifacts import artifact
from trainer.core.errors import UserError


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "serving"


def run(tmp_path, destination, production_checksum=""):
    made = artifact(standard_artifacts.Model, tmp_path / "artifact")
    properties = {
        "push_destination": str(destination),
        "production_checksum": production_checksum,
        "code_fingerprint": "abc",
    }
    Executor().Do({}, {"model": [made]}, properties)
    return made


def test_an_artifact_says_that_there_is_no_model_yet(tmp_path, destination):
    artifact = run(tmp_path, destination, served_model.NO_PRODUCTION)
    assert artifact.get_int_custom_property("exists") == 0
    assert artifact.get_string_custom_property("checksum") == ""
    assert json.loads((tmp_path / "artifact/production.json").read_text())["exists"] is False
    assert not (tmp_path / "artifact/Format-Serving").exists()


def test_the_newest_model_is_copied_and_described(tmp_path, destination):
    saved_model_folders.write(destination / "7", "old")
    saved_model_folders.write(destination / "8", "new")
    checksum = served_model.current_checksum(str(destination))
    artifact = run(tmp_path, destination, checksum)
    assert artifact.get_int_custom_property("exists") == 1
    assert artifact.get_int_custom_property("version") == 8
    assert artifact.get_string_custom_property("checksum") == checksum
    assert artifact.get_string_custom_property("model_path") == str(destination / "8")
    frozen = saved_model_folders.content_of(tmp_path / "artifact/Format-Serving")
    assert frozen == saved_model_folders.content_of(destination / "8")
    assert json.loads((tmp_path / "artifact/production.json").read_text()) == {
        "exists": True,
        "push_destination": str(destination),
        "version": 8,
        "model_path": str(destination / "8"),
        "checksum": checksum,
    }


def test_without_a_checksum_it_takes_what_is_there(tmp_path, destination):
    saved_model_folders.write(destination / "3")
    assert run(tmp_path, destination).get_int_custom_property("version") == 3


@pytest.mark.parametrize("seen", ["none", "0123456789abcdef"])
def test_production_that_changed_or_vanished_since_the_start_is_refused(
    tmp_path, destination, seen
):
    if seen != "none":
        with pytest.raises(UserError, match="none found"):
            run(tmp_path, destination, seen)
    saved_model_folders.write(destination / "3")
    with pytest.raises(UserError, match=r"serving: the model in production changed .* run again"):
        run(tmp_path, destination, seen)

"""The importer's part."""

import dataclasses

import pytest

from pipeline.kfp.local.importing import import_artifact
from pipeline.kfp.tasks import read_tasks
from tests.support.small_spec import small_spec
from trainer.core.errors import UserError


def _task(**importer):
    task = read_tasks(small_spec())["text"]
    changed = {**task.executor["importer"], **importer}
    return dataclasses.replace(task, executor={"importer": changed})


def _name(task, uri: str, identity: str) -> str:
    left = import_artifact(task, {"artifact_uri": uri}, identity)
    return left.artifacts["made"][0]["name"]


def test_the_same_address_is_the_same_artifact_unless_it_is_reimported():
    once, again = (_name(_task(), "/a", identity) for identity in ("run1", "run2"))
    assert once == again != _name(_task(), "/b", "run1")
    once, again = (_name(_task(reimport=True), "/a", identity) for identity in ("run1", "run2"))
    assert once != again


def test_a_constant_address_is_taken():
    left = import_artifact(_task(artifactUri={"constant": "gs://b/x"}), {}, "run")
    assert left.artifacts["made"][0]["uri"] == "gs://b/x"


def test_an_importer_without_an_address_is_refused():
    with pytest.raises(UserError, match=r"^text: the importer has no artifactUri"):
        import_artifact(_task(artifactUri={}), {}, "run")

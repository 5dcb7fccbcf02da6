"""The compiled DAG on Cloud Storage, each task in a pod as Kubeflow's launcher makes it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from components.production_model import served_model
from components.pusher import push_log
from pipeline.cli import cli
from tests.e2e.compiled import Place, Result
from tests.e2e.conftest import LENIENT, small_config
from tests.support import cloud_storage
from trainer.core.errors import UserError

pytestmark = [pytest.mark.slow, pytest.mark.kubeflow]
_SECONDS = 900


@pytest.fixture(scope="module")
def storage(tmp_path_factory, photographs):
    """The service, with the data in a bucket."""
    with cloud_storage.running(tmp_path_factory.mktemp("storage")) as service:
        service.objects.make_bucket("b")
        for path in photographs.iterdir():
            service.objects.put(f"gs://b/data/{path.name}", path.read_bytes())
        yield service


@pytest.fixture(scope="module")
def place(tmp_path_factory, storage) -> Place:
    del storage
    return Place(tmp_path_factory.mktemp("pods"), "gs://b/data", "kfp", "gs://b")


@pytest.fixture(scope="module")
def spec(place: Place) -> dict:
    overrides = (*LENIENT, "training.deterministic=true", "training.checkpoint_every=5")
    return place.compile(small_config(Path("/nowhere/work"), Path("/nowhere/data"), *overrides))


@pytest.fixture(scope="module")
def first(place: Place, spec: dict) -> Result:
    """A run whose training is killed once, with nothing said, and tried again."""
    killer = threading.Thread(target=_kill_training, args=(place.folder,), daemon=True)
    killer.start()
    with pytest.raises(UserError, match=r"^DescriptorTrainer: its process was killed by signal 9"):
        place.run(spec)
    killer.join()
    return place.run(spec)


def _kill_training(folder: Path) -> None:
    """Kills the trainer a moment after its first checkpoint."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        for alive in folder.glob("work/tasks/*/DescriptorTrainer/1/alive"):
            log = alive.with_name("log.txt").read_text(errors="replace")
            if "heckpoint" in log or "step" in log:
                time.sleep(2)
                os.killpg(int(alive.read_text()), signal.SIGKILL)
                return
        time.sleep(0.2)


def test_all_twelve_tasks_end_well_and_the_model_is_pushed(first: Result, place: Place, storage):
    assert len(first.outcomes) == 12
    assert first.artifact("Pusher", "pushed_model")["metadata"]["pushed"] == 1.0
    production = served_model.find(place.serving)
    assert production is not None and production.checksum == first.verdict().candidate_checksum
    assert len(storage.objects.names("gs://b/root")) > 50


def test_no_artifact_holds_an_object_that_stands_for_a_folder(first: Result, storage):
    for task, outcome in first.outcomes.items():
        for key, listed in outcome.artifacts.items():
            for artifact in listed:
                assert storage.objects.markers(artifact["uri"] + "/") == [], (task, key)


def test_every_tasks_log_is_among_its_artifacts(first: Result, storage):
    for task, outcome in first.outcomes.items():
        (logs,) = outcome.artifacts["executor-logs"]
        assert b"Starting executor" in storage.objects.get(logs["uri"]), task


def test_the_training_went_on_from_its_checkpoint(first: Result, place: Place, storage):
    del first
    (log,) = place.folder.glob("work/tasks/*/DescriptorTrainer/2/log.txt")
    assert "oing on" in log.read_text(errors="replace")
    # It cleared them at its end.
    assert [uri for uri in storage.objects.names("gs://b/root") if "/checkpoints/c" in uri] == []


def test_a_second_submission_finds_production_and_compares(first: Result, place: Place, spec: dict):
    again = place.run(spec)
    assert set(again.states.values()) == {"finished"}
    found = again.verdict()
    assert found.production.status == "compared"
    assert found.candidate_checksum == first.verdict().candidate_checksum
    metadata = again.artifact("Pusher", "pushed_model")["metadata"]
    assert metadata["pushed"] == 0.0 and "is this very model" in metadata["reason"]
    assert len(served_model.versions(place.serving)) == 1


def test_runs_can_be_rolled_back_and_cleaned(first: Result, place: Place, storage):
    del first
    (version,) = served_model.versions(place.serving)
    rolled = CliRunner().invoke(cli, ["rollback", "--push", place.serving, str(version)])
    assert rolled.exit_code == 0, rolled.output
    entries = push_log.read(place.serving)
    assert [entry.action for entry in entries][-1] == "rollback"
    assert len(served_model.versions(place.serving)) == 2


def _json(text: str):
    return json.loads(text)

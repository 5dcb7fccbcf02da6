"""The compiled DAG on Cloud Storage, each task in a pod as Kubeflow's launcher makes it."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest

from components.kubeflow.run_executor import TFX_ENTRY_POINT
from components.serving.production_model import served_model
from components.serving.pusher import push_log
from pipeline.kfp.tasks import read_tasks
from tests.e2e.conftest import LENIENT, small_config
from tests.e2e.killing import Killer, survivors
from tests.support.cloud import cloud_storage
from tests.support.spec_runs import Place, Result, only_tasks
from trainer.core.errors import UserError

pytestmark = [pytest.mark.slow, pytest.mark.kubeflow]
# 20 take a quarter of an hour on two cores.
_KILLS = int(os.environ.get("HPATCHES_KILLS", "3"))


@pytest.fixture(scope="module")
def storage(tmp_path_factory, photographs):
    """The service, with the data in a bucket."""
    with cloud_storage.running(tmp_path_factory.mktemp("storage")) as service:
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
    """A run whose tasks are killed at random moments, each followed by another attempt."""
    with Killer(place.folder / "work", _KILLS, seed=7, always="DescriptorTrainer") as killer:
        for _ in range(_KILLS + 1):
            try:
                result = place.run(spec)
                break
            except UserError as error:
                assert "its process was killed by signal 9" in str(error)
                assert survivors(place.folder) == []
    print(f"killed: {dict(killer.kills)}")
    assert killer.kills["DescriptorTrainer"]
    return result


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


def test_the_training_went_on_from_its_checkpoint(first: Result, storage):
    run = first.artifact("DescriptorTrainer", "model_run")["uri"]
    events = json.loads(storage.objects.get(f"{run}/timeline.json"))
    assert "resume" in [event["event"] for event in events]
    # It cleared them at its end.
    assert [uri for uri in storage.objects.names("gs://b/root") if "/checkpoints/c" in uri] == []


def test_a_second_submission_finds_production_and_the_same_result(
    first: Result, place: Place, spec: dict
):
    """It is not disturbed: kills have left no trace in what the first one made."""
    again = place.run(spec)
    assert set(again.states.values()) == {"finished"}
    decision = again.verdict()
    assert decision.production.status == "identical"
    assert decision.candidate_checksum == first.verdict().candidate_checksum
    assert [row.candidate for row in decision.table] == [r.candidate for r in first.verdict().table]
    metadata = again.artifact("Pusher", "pushed_model")["metadata"]
    assert metadata["pushed"] == 0.0 and "is this very model" in metadata["reason"]
    assert len(served_model.versions(place.serving)) == 1
    assert len(push_log.read(place.serving)) == 1


def test_no_process_is_left(first: Result, place: Place):
    del first
    assert survivors(place.folder) == []


_WITH_MARKERS = (
    "from components.kubeflow import folder_markers, run_executor;"
    "folder_markers.remove = lambda folders: 0; run_executor.main()"
)


@pytest.mark.parametrize(
    ("command", "names", "reason"),
    [
        (["-m", TFX_ENTRY_POINT], ["ImportSchemaGen"], r"^ImportSchemaGen: .*system\.Artifact"),
        (
            ["-c", _WITH_MARKERS],
            ["ImportSchemaGen", "PatchExampleGen", "StatisticsGen"],
            r"^StatisticsGen: the launcher cannot download the input \w+ from gs://b/root",
        ),
    ],
)
def test_what_a_cluster_would_end_a_run_with_ends_it_here(
    storage, tmp_path, spec: dict, command, names, reason
):
    """Both faults of the compiled file that Kubeflow Pipelines 2.17 found."""
    del storage
    planted = copy.deepcopy(only_tasks(spec, *names))
    for task in read_tasks(planted).values():
        planted["deploymentSpec"]["executors"][task.component["executorLabel"]]["container"][
            "command"
        ] = ["python", *command]
    with pytest.raises(UserError, match=reason):
        Place(tmp_path, "gs://b/data", "kfp", "gs://b").run(planted)

import shutil
import uuid
from pathlib import Path

import pytest
import tensorflow as tf
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.runs import clean, records
from tests.pipeline.runs.summaries import artifact, summary
from trainer.core.errors import UserError


def record(work_dir, *summaries):
    for one in summaries:
        records.record_run(str(work_dir), one)


def shown(number):
    """When a run started, in local time, as `hpatches runs` shows it."""
    return summary(number).started.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def planned_names(work_dir, keep):
    root = work_dir / "artifacts"
    return [str(Path(path).relative_to(root)) for path, _, _ in clean.plan(str(work_dir), keep)]


@pytest.fixture
def three_runs(tmp_path):
    """Run 1 makes examples and a model; run 2 and 3 reuse the examples and make models."""
    examples = artifact(tmp_path, "PatchExampleGen/examples/1", day=1, size=100)
    models = [artifact(tmp_path, f"DescriptorTrainer/model/{n}", day=n) for n in (1, 2, 3)]
    record(tmp_path, *(summary(n, [examples, models[n - 1]]) for n in (1, 2, 3)))
    return tmp_path


def test_what_a_kept_run_took_from_the_cache_stays(three_runs):
    assert planned_names(three_runs, 1) == [
        "DescriptorTrainer/model/1",
        "DescriptorTrainer/model/2",
    ]
    assert planned_names(three_runs, 2) == ["DescriptorTrainer/model/1"]
    assert planned_names(three_runs, 3) == []
    for keep in (0, -1):
        with pytest.raises(UserError, match="at least 1"):
            clean.plan(str(three_runs), keep)


def test_the_plan_says_how_much_and_why_and_changes_nothing(three_runs):
    planned = clean.plan(str(three_runs), keep=2)
    ((path, size, why),) = planned
    assert size == 10 == planned.total_bytes
    assert why == f"of the run of {shown(1)}"
    assert Path(path).is_dir()


def test_deleting_frees_exactly_what_was_planned(three_runs):
    assert clean.delete(clean.plan(str(three_runs), keep=1)) == 20
    left = {str(p.relative_to(three_runs)) for p in three_runs.rglob("content")}
    assert left == {
        "artifacts/PatchExampleGen/examples/1/content",
        "artifacts/DescriptorTrainer/model/3/content",
    }
    assert clean.plan(str(three_runs), keep=1) == []
    assert not (three_runs / "metadata.db").exists()
    # Records of old runs stay and say that their artifacts are gone.
    cleaned = {run.run_id: run.cleaned for run in records.list_runs(str(three_runs))}
    assert cleaned == {"run-3": False, "run-2": True, "run-1": True}


def test_a_value_inside_a_folder_protects_the_folder(tmp_path):
    folder = artifact(tmp_path, "Counter/number/4", day=1)
    assert clean.plan(str(tmp_path), keep=1) == []  # nothing was recorded
    record(tmp_path, summary(5, [folder / "value"]), summary(1, [folder / "value"]))
    assert planned_names(tmp_path, 1) == []


def test_a_relative_work_folder_is_the_same_folder(three_runs, monkeypatch):
    monkeypatch.chdir(three_runs.parent)
    relative = clean.plan(three_runs.name, keep=2)
    assert list(relative) == list(clean.plan(str(three_runs), keep=2))
    assert clean.delete(relative) == 10


def test_unrecorded_leftovers_go_only_when_they_are_older_than_every_kept_run(three_runs):
    artifact(three_runs, "DescriptorTrainer/model/90", day=1)
    artifact(three_runs, "DescriptorTrainer/model/91", day=9)  # a run may be going on
    artifact(three_runs, "DescriptorTrainer/.system/executor_execution/90", day=1)
    artifact(three_runs, "DescriptorTrainer/.system/executor_execution/91", day=9)
    assert planned_names(three_runs, 3) == []
    assert planned_names(three_runs, 2) == [
        "DescriptorTrainer/.system/executor_execution/90",
        "DescriptorTrainer/model/1",
        "DescriptorTrainer/model/90",
    ]


def test_checkpoints_that_no_run_went_on_with_go_like_other_leftovers(three_runs):
    artifact(three_runs, "DescriptorTrainer/checkpoints/abandoned", day=1)
    artifact(three_runs, "DescriptorTrainer/checkpoints/of-an-interrupted-run", day=9)
    assert planned_names(three_runs, 3) == []
    planned = clean.plan(str(three_runs), keep=2)
    assert [Path(path).name for path, _, _ in planned] == ["abandoned", "1"]
    clean.delete(planned)
    checkpoints = three_runs / "artifacts" / "DescriptorTrainer" / "checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == ["of-an-interrupted-run"]


def test_after_failed_runs_the_last_complete_one_is_kept_too(three_runs):
    record(three_runs, *(summary(n, error="the disk is full", components=()) for n in (4, 5)))
    assert planned_names(three_runs, 1) == [
        "DescriptorTrainer/model/1",
        "DescriptorTrainer/model/2",
    ]


def test_the_push_destination_is_never_planned(tmp_path):
    inside = artifact(tmp_path, "Pusher/serving/17", day=1)
    old = artifact(tmp_path, "Pusher/pushed_model/1", day=1)
    new = artifact(tmp_path, "Pusher/pushed_model/2", day=2)
    serving = str(inside.parent)
    record(
        tmp_path,
        summary(1, [old], push_destination=serving),
        summary(2, [new], push_destination=serving),
    )
    assert planned_names(tmp_path, 1) == ["Pusher/pushed_model/1"]


def test_artifacts_that_are_gone_are_refused(three_runs):
    shutil.rmtree(three_runs / "artifacts")
    elsewhere = artifact(three_runs, "../elsewhere/artifacts/DescriptorTrainer/model/4", day=4)
    record(three_runs, summary(4, [elsewhere], work_dir=str(three_runs)))
    with pytest.raises(UserError, match="none of the artifacts of run run-4 is there"):
        clean.plan(str(three_runs), keep=1)


def test_a_copied_folder_is_cleaned_and_the_original_left_alone(three_runs, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy") / "work"
    shutil.copytree(three_runs, copy)
    expected = planned_names(three_runs, 1)
    assert planned_names(copy, 1) == expected != []
    clean.delete(clean.plan(str(copy), keep=1))
    assert planned_names(copy, 1) == []
    assert not any((copy / "artifacts" / name).exists() for name in expected)
    assert all((three_runs / "artifacts" / name).exists() for name in expected)


def test_a_path_outside_the_artifacts_is_never_deleted(three_runs):
    outside = three_runs / "photographs"
    outside.mkdir()
    for path in (outside, three_runs / "artifacts", three_runs / "artifacts/../photographs"):
        forged = clean.Plan(str(three_runs), [clean.Leftover(str(path), 0, "")], [])
        with pytest.raises(ValueError, match="is no artifact of"):
            clean.delete(forged)
    assert outside.is_dir()


def test_a_remote_work_folder_is_cleaned_as_well():
    work_dir = f"ram://{uuid.uuid4().hex}"
    uris = [f"{work_dir}/artifacts/DescriptorTrainer/model/{n}" for n in (1, 2)]
    for uri in uris:
        tf.io.gfile.makedirs(uri)
        with tf.io.gfile.GFile(f"{uri}/content", "w") as file:
            file.write("12345")
    record(work_dir, *(summary(n, [uris[n - 1]]) for n in (1, 2)))
    planned = clean.plan(work_dir, keep=1)
    assert [tuple(leftover) for leftover in planned] == [(uris[0], 5, f"of the run of {shown(1)}")]
    clean.delete(planned)
    assert not tf.io.gfile.exists(f"{uris[0]}/content")
    assert tf.io.gfile.exists(f"{uris[1]}/content")


@pytest.fixture
def store(three_runs):
    """The metadata store of the three runs' models."""
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(three_runs / "metadata.db")
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    store = metadata_store.MetadataStore(config)
    type_id = store.put_artifact_type(mlmd.ArtifactType(name="Model"))
    uris = [str(three_runs / f"artifacts/DescriptorTrainer/model/{n}") for n in (1, 2, 3)]
    live = mlmd.Artifact.LIVE
    store.put_artifacts([mlmd.Artifact(type_id=type_id, uri=uri, state=live) for uri in uris])
    return store


def test_deleted_artifacts_are_marked_and_the_others_untouched(three_runs, store):
    before = store.get_artifacts()
    clean.delete(clean.plan(str(three_runs), keep=2))
    after = store.get_artifacts()
    assert [artifact.state for artifact in after] == [
        mlmd.Artifact.DELETED,
        mlmd.Artifact.LIVE,
        mlmd.Artifact.LIVE,
    ]
    assert after[1:] == before[1:]  # TFX's cache keys hold every field of an input artifact


def test_an_interrupted_deletion_has_told_the_store_first(three_runs, store, monkeypatch):
    def stop(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(clean.files, "remove_folder", stop)
    with pytest.raises(KeyboardInterrupt):
        clean.delete(clean.plan(str(three_runs), keep=2))
    assert store.get_artifacts()[0].state == mlmd.Artifact.DELETED


def test_what_the_store_knows_a_kept_run_to_use_stays(three_runs, store):
    context_type = store.put_context_type(mlmd.ContextType(name="pipeline_run"))
    (context,) = store.put_contexts([mlmd.Context(type_id=context_type, name="run-3")])
    first = store.get_artifacts()[0]
    store.put_attributions_and_associations(
        [mlmd.Attribution(artifact_id=first.id, context_id=context)], []
    )
    assert planned_names(three_runs, 1) == ["DescriptorTrainer/model/2"]

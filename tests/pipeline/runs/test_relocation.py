import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.runs import records, relocation
from tests.pipeline.runs.summaries import summary

OUTPUT = "/old/work/artifacts/DescriptorTrainer/model/7"


@pytest.mark.parametrize("noted", ["/old/work", ""])  # old records do not say it
def test_paths_below_the_old_folder_are_below_the_new_one(tmp_path, noted):
    recorded = summary(1, [OUTPUT], push_destination="/old/work/serving", work_dir=noted)
    records.record_run(str(tmp_path), recorded)
    (found,) = records.list_runs(str(tmp_path))
    assert found.output_uris == (f"{tmp_path}/artifacts/DescriptorTrainer/model/7",)
    assert found.push_destination == f"{tmp_path}/serving"


@pytest.mark.parametrize("destination", ["gs://models", "/models", "/old/work-2/serving"])
def test_places_outside_stay(tmp_path, destination):
    recorded = summary(1, [OUTPUT], push_destination=destination, work_dir="/old/work")
    assert relocation.here(recorded, str(tmp_path)).push_destination == destination


def test_a_run_that_wrote_nothing_says_where_it_pushed(tmp_path):
    failed = summary(1, push_destination="/old/work/serving", work_dir="/old/work")
    moved = relocation.here(failed, str(tmp_path))
    assert moved.push_destination == f"{tmp_path}/serving"


def test_nothing_changes_where_it_was_written_or_through_a_link(tmp_path):
    work, link = tmp_path / "work", tmp_path / "link"
    work.mkdir()
    link.symlink_to(work)
    output = f"{work}/artifacts/DescriptorTrainer/model/7"
    recorded = summary(1, [output], work_dir=str(work))
    assert relocation.here(recorded, str(link)) == recorded


def test_metadata_is_brought_to_the_present_folder(tmp_path):
    (tmp_path / "metadata.db").touch()
    store = relocation.open_store(str(tmp_path))
    kind = store.put_artifact_type(mlmd.ArtifactType(name="Examples"))
    uris = ["/old/work/artifacts/PatchExampleGen/examples/2", "gs://elsewhere/data", ""]
    store.put_artifacts([mlmd.Artifact(type_id=kind, uri=uri) for uri in uris])
    for _ in range(2):
        relocation.adopt(str(tmp_path))
        assert [artifact.uri for artifact in store.get_artifacts()] == [
            f"{tmp_path}/artifacts/PatchExampleGen/examples/2", *uris[1:],
        ]  # fmt: skip


def test_a_folder_without_metadata_is_left_as_it_is(tmp_path):
    relocation.adopt(str(tmp_path))
    assert list(tmp_path.iterdir()) == []

"""The local runner with ML Metadata: what is cached, and what no longer is after cleaning."""

import datetime
import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from components.serving.production_model import served_model
from components.serving.production_model.component import ProductionModel
from pipeline.runs import clean, records
from tests.components.serving.production_model import saved_model_folders
from tests.pipeline.runs.summaries import summary


class Work:
    """A pipeline of ProductionModel alone, in a work folder."""

    def __init__(self, folder):
        self.folder = folder
        self.serving = folder / "serving"
        self.connection = metadata.sqlite_metadata_connection_config(str(folder / "metadata.db"))

    def run(self, code="abc"):
        """Runs it; returns the state of the execution and the output folder."""
        serving = str(self.serving)
        component = ProductionModel(
            push_destination=serving,
            production_checksum=served_model.current_checksum(serving),
            code_fingerprint=code,
        )
        dag = pipeline.Pipeline(
            pipeline_name="clean",
            pipeline_root=str(self.folder / "artifacts"),
            components=[component],
            enable_cache=True,
            metadata_connection_config=self.connection,
        )
        LocalDagRunner().run(dag)
        with metadata.Metadata(self.connection) as handle:
            execution = max(handle.store.get_executions(), key=lambda item: item.id)
            (event,) = handle.store.get_events_by_execution_ids([execution.id])
            (artifact,) = handle.store.get_artifacts_by_id([event.artifact_id])
        return mlmd.Execution.State.Name(execution.last_known_state), artifact.uri

    def record(self, number, uri, **changes):
        records.record_run(str(self.folder), summary(number, [uri], **changes))


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path)


def test_the_cache_follows_production_and_never_points_at_what_was_cleaned(work):
    state, none_yet = work.run()
    assert state == "COMPLETE"
    assert work.run() == ("CACHED", none_yet)

    saved_model_folders.write(work.serving / "5", "first")
    state, first = work.run()
    assert (state, first == none_yet) == ("COMPLETE", False)
    assert work.run() == ("CACHED", first)

    saved_model_folders.write(work.serving / "6", "second")
    state, second = work.run()
    assert state == "COMPLETE"
    assert work.run(code="changed")[0] == "COMPLETE"

    shutil.rmtree(work.serving / "6")
    assert work.run() == ("CACHED", first)

    now = datetime.datetime.now(datetime.timezone.utc)
    work.record(1, first)
    work.record(2, second, started=now)
    planned = clean.plan(str(work.folder), keep=1)
    assert first in [leftover.path for leftover in planned]
    clean.delete(planned)

    state, again = work.run()
    assert (state, again == first) == ("COMPLETE", False)
    saved_model_folders.write(work.serving / "6", "second")
    assert work.run() == ("CACHED", second)

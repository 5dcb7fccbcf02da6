import uuid

import pytest
from pydantic import ValidationError

from pipeline.runs import records
from tests.pipeline.runs.summaries import summary
from trainer.core.errors import UserError


def test_a_run_comes_back_as_it_was_recorded(tmp_path):
    recorded = summary(
        1,
        ["/work/artifacts/DescriptorTrainer/model/7"],
        metrics={"matching": 0.74},
        blessed=False,
        reasons=("matching of tough is 0.02 below RootSIFT",),
        push_destination="/models",
    )
    path = records.record_run(str(tmp_path), recorded)
    assert path == str(tmp_path / "runs/run-1.json")
    assert records.list_runs(str(tmp_path)) == [recorded]
    assert recorded.output_uris == ("/work/artifacts/DescriptorTrainer/model/7",)


def test_the_newest_run_comes_first_whatever_its_name(tmp_path):
    for number in (2, 10, 1):
        records.record_run(str(tmp_path), summary(number))
    assert [run.run_id for run in records.list_runs(str(tmp_path))] == ["run-10", "run-2", "run-1"]


def test_nothing_ran_in_an_empty_folder(tmp_path):
    assert records.list_runs(str(tmp_path / "nowhere")) == []


def test_recording_again_replaces_and_leaves_no_temporary_file(tmp_path):
    records.record_run(str(tmp_path), summary(1))
    records.record_run(str(tmp_path), summary(1, cleaned=True))
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["run-1.json"]
    assert records.list_runs(str(tmp_path))[0].cleaned


@pytest.mark.parametrize("content", ['{"run_id": "x"}', "", '{"run_id"'])
def test_a_record_that_cannot_be_read_is_told_and_not_passed_over(tmp_path, content):
    records.record_run(str(tmp_path), summary(1))
    (tmp_path / "runs/run-2.json").write_text(content)
    with pytest.raises(UserError, match=r"run-2\.json: not the record of a run"):
        records.list_runs(str(tmp_path))


def test_an_unwritable_work_folder_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"run-1\.json: cannot be written"):
        records.record_run(str(tmp_path / "file"), summary(1))


def test_a_remote_work_folder_does_as_well():
    work_dir = f"ram://{uuid.uuid4().hex}"
    records.record_run(work_dir, summary(1))
    records.record_run(work_dir, summary(2))
    assert [run.run_id for run in records.list_runs(work_dir)] == ["run-2", "run-1"]


@pytest.mark.parametrize("run_id", ["../escape", "a/b", "", ".hidden"])
def test_a_run_id_is_a_file_name(run_id):
    with pytest.raises(ValidationError):
        summary(1, run_id=run_id)


def test_a_time_without_zone_is_refused():
    with pytest.raises(ValidationError):
        summary(1, started="2024-05-01T12:00:00")


@pytest.mark.parametrize("state", ["failed", "interrupted", "not_reached"])
def test_a_run_with_a_component_that_did_not_finish_is_incomplete(state):
    assert summary(1).ran_to_its_end
    assert not summary(1, error="the disk is full").ran_to_its_end
    stopped = records.ComponentRecord(name="Pusher", state=state)
    assert not summary(1, components=(stopped,)).ran_to_its_end

import uuid

import pytest
from pydantic import ValidationError

from pipeline.runs import records
from tests.pipeline.runs.summaries import summary
from trainer.core.errors import UserError


def test_a_run_comes_back_as_it_was_recorded(tmp_path):
    recorded = summary(
        1,
        [f"{tmp_path}/artifacts/DescriptorTrainer/model/7"],
        metrics={"matching": 0.74},
        blessed=False,
        reasons=("matching of tough is 0.02 below RootSIFT",),
        push_destination="/models",
    )
    path = records.record_run(str(tmp_path), recorded)
    assert path == str(tmp_path / "runs/run-1.json")
    assert records.list_runs(str(tmp_path)) == [recorded]
    assert recorded.output_uris == (f"{tmp_path}/artifacts/DescriptorTrainer/model/7",)


@pytest.mark.parametrize("remote", [False, True])
def test_the_newest_run_comes_first_whatever_its_name(tmp_path, remote):
    work_dir = f"ram://{uuid.uuid4().hex}" if remote else str(tmp_path / "work")
    assert records.list_runs(work_dir) == []
    for number in (2, 10, 1):
        records.record_run(work_dir, summary(number))
    assert [run.run_id for run in records.list_runs(work_dir)] == ["run-10", "run-2", "run-1"]


def test_components_take_as_long_as_when_they_last_ran(tmp_path):
    def ran(state, seconds):
        return (records.ComponentRecord(name="Trainer", state=state, seconds=seconds),)

    work = str(tmp_path)
    for number, (state, seconds) in enumerate((("executed", 9), ("executed", 7), ("cached", 1))):
        recorded = summary(number, components=ran(state, seconds))
        records.record_run(work, recorded)
    assert records.seconds_by_component(work) == {"Trainer": 7}
    (tmp_path / "runs" / "run-0.json").write_text("{")
    assert records.seconds_by_component(work) == {}


def test_recording_again_replaces_and_leaves_no_temporary_file(tmp_path):
    records.record_run(str(tmp_path), summary(1))
    path = records.record_run(str(tmp_path), summary(1, cleaned=True))
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["run-1.json"]
    assert records.list_runs(str(tmp_path))[0].cleaned
    with pytest.raises(UserError, match=r"run-1\.json: cannot be written"):
        records.record_run(path, summary(1))


@pytest.mark.parametrize("content", ['{"run_id": "x"}', "", '{"run_id"'])
def test_a_record_that_cannot_be_read_is_told_and_not_passed_over(tmp_path, content):
    records.record_run(str(tmp_path), summary(1))
    (tmp_path / "runs/run-2.json").write_text(content)
    with pytest.raises(UserError, match=r"run-2\.json: not the record of a run"):
        records.list_runs(str(tmp_path))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("run_id", name) for name in ("../escape", "a/b", "", ".hidden")),
        ("started", "2024-05-01T12:00:00"),  # without a zone
    ],
)
def test_a_run_id_is_a_file_name_and_a_time_has_a_zone(key, value):
    with pytest.raises(ValidationError) as refused:
        summary(1, **{key: value})
    assert refused.value.errors()[0]["loc"] == (key,)


@pytest.mark.parametrize("state", ["failed", "interrupted", "not_reached"])
def test_a_run_with_a_component_that_did_not_finish_is_incomplete(state):
    assert summary(1).ran_to_its_end
    assert not summary(1, error="the disk is full").ran_to_its_end
    stopped = records.ComponentRecord(name="Pusher", state=state)
    assert not summary(1, components=(stopped,)).ran_to_its_end

"""Training in a job: the same outputs as the local executor, and failures in one sentence."""

import json
import os
import signal
from pathlib import Path

import pytest
import tensorflow as tf
from google.cloud.aiplatform_v1 import JobState
from google.rpc import code_pb2, status_pb2

from components.descriptor_trainer.vertex import executor
from tests.components.descriptor_trainer import executions
from tests.components.descriptor_trainer import test_executor as local
from tests.components.descriptor_trainer.executions import _CONFIG
from tests.components.descriptor_trainer.vertex.container import Container
from tests.components.descriptor_trainer.vertex.test_check import settings, tpu
from tests.support.cloud.fake_vertex import FakeVertex
from tests.support.synthetic import TWO_SCENES, Transform, write_examples
from trainer.core import progress
from trainer.core.config import StageConfig, TrainerConfig
from trainer.core.errors import UserError
from trainer.core.interruption import Interrupted
from trainer.model import export

_MACHINE = settings("n1-standard-8", poll_seconds=0.05)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """Examples and a transform graph, in a folder that counts as reachable."""
    monkeypatch.setattr(executor, "REACHABLE", (str(tmp_path),))
    write_examples(tmp_path / "examples", TWO_SCENES)
    tf.saved_model.save(Transform(), str(tmp_path / "graph" / "transform_fn"))
    return tmp_path


def execute(root: Path, number: str = "1", config: TrainerConfig = _CONFIG, **changes) -> Path:
    """Runs an execution and returns the folder above its outputs."""
    parameters = {
        "vertex_json": _MACHINE.model_dump_json(),
        "project": "my-project",
        "location": "us-west4",
        "staging": f"{root}/staging",
    }
    model = executions.execute(str(root), number, executor, config, **parameters | changes)
    serving = f"{model.uri}/Format-Serving"
    assert model.get_string_custom_property("checksum") == export.model_checksum(serving)
    return root / "artifacts" / "DescriptorTrainer"


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_preempted_job_leaves_the_outputs_of_the_local_executor(root: Path, vertex: FakeVertex):
    container = Container(vertex, root, "staging/*/*/checkpoints/*/*/complete.json")
    seen: list[progress.Progress] = []
    with progress.listen(seen.append):
        outputs = execute(root)
    assert container.starts == 2
    events = json.loads((outputs / "model_run" / "1" / "timeline.json").read_text())
    assert "resume" in [event["event"] for event in events]
    assert not list((root / "staging" / "descriptor-trainer").iterdir())
    assert vertex.methods().count("create_custom_job") == 1
    assert seen[-1].label == "training on Vertex AI (succeeded)"

    assert local._execute(root, [("2", 0)]) == [0]
    identities = [
        export.read_identity(str(outputs / "model" / number / "Format-Serving"))
        for number in ("1", "2")
    ]
    assert identities[0] == identities[1]  # of the weights, among other things
    for kind in ("model", "model_run"):
        names = [_files(outputs / kind / number) for number in ("1", "2")]
        ours, theirs = ({n for n in files if "tfevents" not in n} for files in names)
        assert ours == theirs
        assert all(any("tfevents" in name for name in files) for files in names if kind != "model")


@pytest.mark.slow
def test_a_users_mistake_on_the_other_machine_is_told_as_here(root, vertex):
    Container(vertex, root)
    too_large = _CONFIG.model_copy(update={"stages": (StageConfig(points_per_batch=512),)})
    with pytest.raises(UserError, match="512") as raised:
        execute(root, config=too_large)
    assert "job" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_sigterm_cancels_the_job_and_the_next_execution_goes_on(root, vertex):
    container = Container(vertex, root)
    taken = "staging/*/*/checkpoints/*/*/complete.json"

    def stop(event: progress.Progress) -> None:
        if any(root.glob(taken)) and container.starts == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with progress.listen(stop), pytest.raises(Interrupted, match=r"cancelled .*goes on from its"):
        execute(root)
    assert container.process.wait(60) != 0
    assert list(root.glob(taken))

    outputs = execute(root, "2")
    events = json.loads((outputs / "model_run" / "2" / "timeline.json").read_text())
    assert "resume" in [event["event"] for event in events]


@pytest.mark.parametrize(
    ("state", "code", "said", "message"),
    [
        (
            "FAILED",
            13,
            "exited with status 1",
            r"customJobs/1 failed .exited with status 1.; its p",
        ),
        ("FAILED", 13, "", "Vertex AI does not say why"),
        ("FAILED", code_pb2.RESOURCE_EXHAUSTED, "no v5e left", "want of quota or capacity .no v5e"),
        ("CANCELLED", 1, "by somebody", r"was cancelled .by somebody.; run the pipeline again"),
        ("EXPIRED", 0, "", r"ran out of time; run the pipeline again.*timeout_hours"),
        ("PARTIALLY_SUCCEEDED", 0, "", "succeeded in part only"),
    ],
)
def test_a_job_that_does_not_end_well_is_a_sentence(root, vertex, state, code, said, message):
    vertex.job_states = [JobState.JOB_STATE_RUNNING, JobState[f"JOB_STATE_{state}"]]
    vertex.job_error = status_pb2.Status(code=code, message=said)
    with pytest.raises(UserError, match=message) as raised:
        execute(root)
    assert "https://console.cloud.google.com/vertex-ai/locations/us-west4" in str(raised.value)
    assert list(root.glob("staging/descriptor-trainer/*/config.json"))  # to go on from


def test_what_crashed_in_the_container_is_part_of_the_sentence(root, vertex):
    def crash(job):
        (base,) = root.glob("staging/descriptor-trainer/*")
        (base / "failure.json").write_text('{"exit_status": 1, "message": "KeyError: 3"}')

    vertex.on_create = crash
    vertex.job_states = [JobState.JOB_STATE_FAILED]
    with pytest.raises(UserError, match=r"customJobs/1 failed .KeyError: 3.; its page is"):
        execute(root)
    # An earlier job's failure is not told for this one.
    vertex.on_create = lambda job: None
    vertex.job_error = status_pb2.Status(code=13, message="the image cannot be pulled")
    with pytest.raises(UserError, match="the image cannot be pulled"):
        execute(root)


def test_a_job_finds_the_lease_of_who_waits_for_it_and_afterwards_none(root, vertex):
    seen: list[list[Path]] = []
    vertex.on_create = lambda job: seen.append(_leases(root))
    vertex.job_states = [JobState.JOB_STATE_FAILED]
    with pytest.raises(UserError, match="customJobs/1 failed"):
        execute(root)
    ((lease,),) = seen
    assert not lease.exists() and _leases(root) == []


def _leases(root: Path) -> list[Path]:
    leases = root.glob("staging/descriptor-trainer/*/leases/*")
    return [path for path in leases if path.name != "looked-at"]


def test_a_job_that_ends_well_without_a_model_is_told(root, vertex):
    vertex.job_states = [JobState.JOB_STATE_SUCCEEDED]
    with pytest.raises(UserError, match=r"there is no model although the job ended well.*image"):
        execute(root)


class _Killed(BaseException):
    """In place of SIGKILL."""


@pytest.mark.parametrize("gone", ["saved_model.pb", "assets.extra/descriptor.json", "none"])
def test_an_execution_killed_while_it_tidies_up_is_followed_by_one_that_trains_anew(
    root, vertex, monkeypatch, gone
):
    half_tidied: list[bool] = []

    def train(job):
        (base,) = root.glob("staging/descriptor-trainer/*")
        half_tidied.append((base / "checkpoints" / "half").exists())
        _leave_results(base, f"job {len(half_tidied)}")

    def killed(folder):
        for path in Path(folder).rglob(f"Format-Serving/{gone}"):
            path.unlink()
        (Path(folder) / "checkpoints" / "whole").rename(Path(folder) / "checkpoints" / "half")
        raise _Killed

    vertex.on_create = train
    with monkeypatch.context() as patch:
        patch.setattr(executor.files, "remove_folder", killed)
        with pytest.raises(_Killed):
            execute(root)
    outputs = execute(root, "2")
    assert half_tidied == [False, False]
    assert (outputs / "model/2/Format-Serving/saved_model.pb").read_text() == "job 2"
    assert not list((root / "staging" / "descriptor-trainer").iterdir())


def test_an_execution_killed_before_it_tidies_up_is_followed_by_one_that_takes_the_results(
    root, vertex, monkeypatch
):
    def train(job):
        (base,) = root.glob("staging/descriptor-trainer/*")
        _leave_results(base, "the only job")

    def killed(path):
        raise _Killed

    vertex.on_create = train
    with monkeypatch.context() as patch:
        patch.setattr(tf.io.gfile, "remove", killed)
        with pytest.raises(_Killed):
            execute(root)
    outputs = execute(root, "2")
    assert len(_created(vertex)) == 1
    assert (outputs / "model/2/Format-Serving/saved_model.pb").read_text() == "the only job"


def _leave_results(base: Path, text: str) -> None:
    """Leaves what counts as a trained model."""
    serving = base / "output" / "Format-Serving"
    (serving / "assets.extra").mkdir(parents=True)
    (serving / "saved_model.pb").write_text(text)
    (serving / "assets.extra" / "descriptor.json").write_text("{}")
    (base / "output" / "training_result.json").write_text("{}")
    (base / "checkpoints" / "whole").mkdir(parents=True)


def test_the_terms_do_not_change_whose_checkpoints_a_job_goes_on_from(root, vertex):
    vertex.job_states = [JobState.JOB_STATE_FAILED]
    jobs = [
        _MACHINE,
        _MACHINE.model_copy(update={"timeout_hours": 2.0, "spot": True}),
        _MACHINE.model_copy(update={"image": "host/repo/other"}),
    ]
    for job in jobs:
        with pytest.raises(UserError, match=r"customJobs/\d failed"):
            execute(root, vertex_json=job.model_dump_json())
    labels = [request.custom_job.labels["hpatches_run"] for request in _created(vertex)]
    assert labels[0] == labels[1] != labels[2]


def _created(vertex: FakeVertex) -> list:
    return vertex.requests("create_custom_job")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(
            ({key: ""}, f"{key}: not set.*--param {key}=")
            for key in ("project", "location", "staging")
        ),
        ({"vertex_json": tpu(3, 12).model_dump_json()}, "found 12 cores of TPU_V3"),
        (
            {"vertex_json": json.dumps({**_MACHINE.model_dump(), "gpus": 1})},
            r"platform\.training\.gpus: .*compile the pipeline again",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(root, vertex, changes, message):
    with pytest.raises(UserError, match=message):
        execute(root, **changes)
    assert not vertex.calls
    assert not (root / "staging").exists()


def test_folders_that_a_job_cannot_reach_are_refused(root, vertex, monkeypatch):
    monkeypatch.setattr(executor, "REACHABLE", ("gs://",))
    with pytest.raises(UserError, match=r"staging: found /.* cannot reach; expected .* gs://"):
        execute(root)
    with pytest.raises(UserError, match=r"examples: found /.*pipeline root"):
        execute(root, staging="gs://bucket/staging")
    assert not vertex.calls

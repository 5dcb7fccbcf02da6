"""Runs on Vertex AI: what goes over the wire, and what becomes of answers and errors."""

import datetime

import grpc
import pytest
from google.cloud.aiplatform_v1 import (
    PipelineJob,
    PipelineServiceClient,
    PipelineState,
    PipelineTaskDetail,
)
from google.rpc import code_pb2, status_pb2

from components.core import google_cloud
from components.descriptor_trainer.vertex.address import Address
from pipeline.submission import following, request, vertex
from pipeline.submission.places import region
from tests.support.submitted_spec import DATA, PUSH, ROOT, spec, write
from trainer.core.errors import UserError

_REGION = Address("my-project", "us-west4")
_PARENT = "projects/my-project/locations/us-west4"
_UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "the service is restarting")


@pytest.fixture
def wanted(tmp_path):
    texts = (f"data_path={DATA}", f"push_destination={PUSH}")
    return request.prepare(write(tmp_path), "vertex", ROOT, texts)


def test_a_run_is_asked_for_as_it_was_described(google, wanted):
    account, network = "me@p.iam.gserviceaccount.com", "projects/12/global/networks/mine"
    started = vertex.submit(wanted, _REGION, account, network)
    (sent,) = google.requests("create_pipeline_job")
    assert sent.parent == _PARENT
    assert sent.pipeline_job_id == wanted.name
    job = PipelineJob.to_dict(sent.pipeline_job)
    assert job["pipeline_spec"] == spec()
    assert job["display_name"] == wanted.name
    assert job["labels"] == {"application": "hpatches"}
    assert (job["service_account"], job["network"]) == (account, network)
    assert job["runtime_config"]["gcs_output_directory"] == ROOT
    assert job["runtime_config"]["parameter_values"] == {
        "data_path": DATA,
        "push_destination": PUSH,
        "data_fingerprint": "",
    }
    assert started.name == f"{_PARENT}/pipelineJobs/{wanted.name}"
    assert started.address == (
        "https://console.cloud.google.com/vertex-ai/locations/us-west4/pipelines/runs/"
        f"{wanted.name}?project=my-project"
    )


@pytest.mark.slow
def test_the_message_is_the_one_that_googles_own_class_sends(google, wanted, tmp_path, monkeypatch):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform  # half a minute where nothing is cached
    from google.cloud.aiplatform.utils import gcs_utils

    monkeypatch.setattr(
        gcs_utils,
        "create_gcs_bucket_for_pipeline_artifacts_if_it_does_not_exist",
        lambda **_: None,
    )
    theirs = aiplatform.PipelineJob(
        display_name=wanted.name,
        template_path=write(tmp_path, wanted.spec),
        job_id=wanted.name,
        pipeline_root=wanted.root,
        parameter_values=wanted.values,
        labels=vertex.LABELS,
        project=_REGION.project,
        location=_REGION.location,
        credentials=AnonymousCredentials(),
    )
    theirs.api_client = google.pipeline_client()
    theirs.submit(service_account="me@p.iam.gserviceaccount.com")
    google.pipelines.clear()
    vertex.submit(wanted, _REGION, "me@p.iam.gserviceaccount.com")
    first, second = google.requests("create_pipeline_job")
    assert type(first).to_dict(first) == type(second).to_dict(second)
    assert google.pipelines[theirs.resource_name].display_name == wanted.name


def test_a_service_that_is_away_for_a_moment_is_asked_again(google, wanted):
    google.failures["create_pipeline_job"] = [_UNAVAILABLE, _UNAVAILABLE]
    assert vertex.submit(wanted, _REGION).name.endswith(wanted.name)
    assert google.methods().count("create_pipeline_job") == 3
    assert len(google.pipelines) == 1


@pytest.mark.parametrize("looks", [[], [(grpc.StatusCode.PERMISSION_DENIED, "no looking")]])
def test_a_call_that_arrived_although_no_answer_came_starts_no_second_run(google, wanted, looks):
    google.lose_answers("create_pipeline_job")
    google.failures["get_pipeline_job"] = looks
    started = vertex.submit(wanted, _REGION)
    assert list(google.pipelines) == [started.name]
    assert started.look().outcome == "succeeded"


def test_a_service_that_stays_away_is_told(google, wanted):
    google.failures["create_pipeline_job"] = [_UNAVAILABLE] * 10
    with pytest.raises(UserError, match=r"does not answer .the service is restarting.; try again"):
        vertex.submit(wanted, _REGION)
    assert google.methods() == ["create_pipeline_job", "get_pipeline_job"] * 5


@pytest.mark.parametrize("status", ["PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "NOT_FOUND"])
def test_a_refusal_is_one_sentence_and_not_repeated(google, wanted, status):
    google.failures["create_pipeline_job"] = [(grpc.StatusCode[status], "for this reason")]
    submitted = r"^submitting the pipeline \(project my-project, us-west4\): .*for this reason"
    with pytest.raises(UserError, match=submitted):
        vertex.submit(wanted, _REGION)
    assert google.methods() == ["create_pipeline_job"]


def test_watching_outlives_a_short_outage_and_a_rate_limit(google, wanted):
    started = vertex.submit(wanted, _REGION)
    rate = (grpc.StatusCode.RESOURCE_EXHAUSTED, "Quota exceeded for 'Pipeline read requests'")
    google.failures["get_pipeline_job"] = [_UNAVAILABLE, rate, _UNAVAILABLE]
    assert started.look().outcome == "succeeded"


@pytest.mark.slow
def test_watching_ends_with_a_sentence_when_the_service_stays_away(google, wanted):
    started = vertex.submit(wanted, _REGION)
    google.failures["get_pipeline_job"] = [_UNAVAILABLE] * 10_000
    with pytest.raises(UserError, match=r"watching .*which goes on .*no answer over"):
        started.look()


def test_a_run_that_somebody_deleted_is_told(google, wanted):
    started = vertex.submit(wanted, _REGION)
    google.pipelines.clear()
    with pytest.raises(UserError, match=r"watching .*pipelineJobs/small-.*not found"):
        started.look()


def _detail(name, state, seconds=None, code=0, said=""):
    times = {}
    if seconds is not None:
        start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
        times = {"start_time": start, "end_time": start + datetime.timedelta(seconds=seconds)}
    error = status_pb2.Status(code=code, message=said)
    return PipelineTaskDetail(
        task_name=name, state=PipelineTaskDetail.State[state], error=error, **times
    )


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("PENDING", "waiting"),
        ("RUNNING", "started"),
        ("SUCCEEDED", "finished"),
        ("SKIPPED", "cached"),
        ("FAILED", "failed"),
        ("CANCELLED", "cancelled"),
        ("NOT_TRIGGERED", "not triggered"),
    ],
)
def test_task_states_are_understood(google, wanted, state, kind):
    google.pipeline_tasks = [[_detail("PatchExampleGen", state, 61.5)]]
    (task,) = vertex.submit(wanted, _REGION).look().tasks
    assert (task.name, task.kind, task.seconds) == ("PatchExampleGen", kind, 61.5)


def test_every_state_of_the_api_has_a_meaning():
    assert set(vertex._KINDS) == set(PipelineTaskDetail.State)
    assert set(vertex._OUTCOMES) < set(PipelineState)


@pytest.mark.parametrize(
    ("state", "code", "said", "message"),
    [
        (
            "FAILED",
            code_pb2.INTERNAL,
            "exit status 2",
            r"failed in DescriptorTrainer \(exit status 2\); the task's log says more",
        ),
        (
            "FAILED",
            code_pb2.RESOURCE_EXHAUSTED,
            "quota metric custom_model_training_cpus",
            r"for want of quota or capacity \(quota metric custom_model_training_cpus\)",
        ),
        ("CANCELLED", 0, "", r"was cancelled \(The run was cancelled by a user.\)"),
    ],
)
def test_a_run_that_does_not_end_well_is_a_sentence(google, wanted, state, code, said, message):
    running = PipelineState.PIPELINE_STATE_RUNNING
    google.pipeline_states = [running, PipelineState[f"PIPELINE_STATE_{state}"]]
    google.pipeline_tasks = [
        [_detail("PatchExampleGen", "RUNNING")],
        [
            _detail("PatchExampleGen", "SUCCEEDED", 5),
            _detail("DescriptorTrainer", state, 5, code, said),
        ],
    ]
    google.pipeline_error = status_pb2.Status(message="The run was cancelled by a user.")
    started = vertex.submit(wanted, _REGION)
    assert started.look().outcome is None
    with pytest.raises(UserError, match=message):
        following.conclude(started.look(), started)


def test_without_credentials_the_sentence_says_how_to_get_some(monkeypatch, wanted):
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    def none(*_, **__):
        raise DefaultCredentialsError("Your default credentials were not found.")

    monkeypatch.setattr(google.auth, "default", none)
    with pytest.raises(UserError, match=r"credentials are missing.*gcloud auth application-def"):
        vertex.submit(wanted, _REGION)


@pytest.mark.parametrize(
    ("project", "location", "message"),
    [
        (None, "us-west4", "--project: found none"),
        ("My Project", "us-west4", "--project: found My Project"),
        ("my-project", None, "--location: found none, expected a region"),
        ("my-project", "us-west4-a", "--location: found us-west4-a"),
    ],
)
def test_project_and_region_are_asked_for(project, location, message):
    with pytest.raises(UserError, match=message):
        region(project, location)


def test_the_client_asks_the_endpoint_of_the_region(monkeypatch):
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    monkeypatch.setattr(google.auth, "default", lambda *_, **__: (AnonymousCredentials(), "p"))
    client = google_cloud.connect(PipelineServiceClient, "us-west4", "here")
    assert client.api_endpoint == "us-west4-aiplatform.googleapis.com"

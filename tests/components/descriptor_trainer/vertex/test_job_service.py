"""Calls to the job service: what goes over the wire, and what becomes of errors."""

import functools
import signal

import grpc
import pytest
from google.cloud.aiplatform_v1 import JobServiceClient, JobState

from components.core import google_cloud
from components.descriptor_trainer.vertex import job, job_service
from components.descriptor_trainer.vertex.address import Address
from components.descriptor_trainer.vertex.job import Places
from tests.components.descriptor_trainer.vertex.test_check import settings
from trainer.core.errors import UserError
from trainer.core.interruption import Interrupted, StopRequest

_ADDRESS = Address("my-project", "us-west4")
_PLACES = Places("gs://b/examples", "gs://b/graph", "gs://b/staging/key")
_UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "the service is restarting")


def _start(vertex, key: str = "key", request: StopRequest | None = None):
    wanted = job.custom_job(settings(), _PLACES, key)
    return job_service.start_or_join(
        vertex.job_client(), _ADDRESS, wanted, request or StopRequest()
    )


def _fails_until_a_signal(vertex, method: str, times: int = 3) -> StopRequest:
    """Has a method answer UNAVAILABLE for ever, and a signal come after some of the answers."""
    request = StopRequest()

    def away(received, context):
        if vertex.methods().count(method) == times:
            request.signal = signal.SIGTERM
        context.abort(*_UNAVAILABLE)

    setattr(vertex, method, away)
    return request


def _wait(vertex, name: str, request: StopRequest | None = None, on_look=lambda job: None):
    client = vertex.job_client()
    return job_service.wait(client, _ADDRESS, name, 0.01, request or StopRequest(), on_look)


def test_a_job_is_started_as_it_was_described(vertex):
    started = _start(vertex)
    assert started.name == "projects/my-project/locations/us-west4/customJobs/1"
    (request,) = vertex.requests("create_custom_job")
    assert request.parent == "projects/my-project/locations/us-west4"
    assert request.custom_job == job.custom_job(settings(), _PLACES, "key")
    assert _ADDRESS.page(started.name) == (
        "https://console.cloud.google.com/vertex-ai/locations/us-west4/training/1"
        "?project=my-project"
    )


def test_a_job_at_the_same_work_is_joined(vertex):
    first = _start(vertex)
    assert _start(vertex).name == first.name
    assert _start(vertex, "other").name != first.name
    assert vertex.methods().count("create_custom_job") == 2
    for state in (JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLING):  # which is not joined
        before = _start(vertex)
        vertex.jobs[before.name].state = state
        assert _start(vertex).name != before.name


def test_a_service_that_is_away_for_a_moment_is_asked_again(vertex):
    vertex.failures["list_custom_jobs"] = [_UNAVAILABLE]
    vertex.failures["create_custom_job"] = [_UNAVAILABLE, _UNAVAILABLE]
    assert _start(vertex).name.endswith("/1")
    assert vertex.methods().count("create_custom_job") == 3
    assert len(vertex.jobs) == 1


def test_a_call_that_arrived_although_no_answer_came_starts_no_second_job(vertex):
    vertex.lose_answers("create_custom_job")
    assert _start(vertex).name.endswith("/1")
    assert len(vertex.jobs) == 1


def test_a_service_that_stays_away_is_told(vertex):
    vertex.failures["create_custom_job"] = [_UNAVAILABLE] * 10
    with pytest.raises(UserError, match=r"does not answer .the service is restarting.; try again"):
        _start(vertex)
    assert vertex.methods().count("create_custom_job") == 5


@pytest.mark.parametrize("status", ["PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"])
def test_a_refusal_is_one_sentence_and_not_repeated(vertex, status):
    vertex.failures["create_custom_job"] = [(grpc.StatusCode[status], "for this reason")]
    started = r"^starting the training job \(project my-project, us-west4\): .*for this reason"
    with pytest.raises(UserError, match=started):
        _start(vertex)
    assert vertex.methods().count("create_custom_job") == 1


def test_a_job_is_watched_to_its_end(vertex):
    vertex.job_states = [
        JobState.JOB_STATE_QUEUED,
        JobState.JOB_STATE_PENDING,
        JobState.JOB_STATE_RUNNING,
        JobState.JOB_STATE_SUCCEEDED,
    ]
    seen = []
    name = _start(vertex).name
    ended = _wait(vertex, name, on_look=lambda job: seen.append(job_service.words(job.state)))
    assert ended.state == JobState.JOB_STATE_SUCCEEDED
    assert seen == ["queued", "pending", "running", "succeeded"]
    for state in ("FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"):
        vertex.job_states = [JobState[f"JOB_STATE_{state}"]]
        assert _wait(vertex, _start(vertex, state.lower()).name).state == vertex.job_states[0]


def test_watching_outlives_a_short_outage_and_a_rate_limit(vertex):
    name = _start(vertex).name
    rate = (grpc.StatusCode.RESOURCE_EXHAUSTED, "Quota exceeded for 'Job read requests'")
    vertex.failures["get_custom_job"] = [_UNAVAILABLE, rate, _UNAVAILABLE]
    assert _wait(vertex, name).state == JobState.JOB_STATE_SUCCEEDED


@pytest.mark.slow
def test_watching_ends_with_a_sentence_when_the_service_stays_away(vertex):
    name = _start(vertex).name
    vertex.failures["get_custom_job"] = [_UNAVAILABLE] * 10_000
    with pytest.raises(UserError, match=r"watching .*customJobs/1, which goes on .*no answer over"):
        _wait(vertex, name)


def test_a_job_that_somebody_deleted_is_told(vertex):
    with pytest.raises(UserError, match=r"watching .*customJobs/9.*not found"):
        _wait(vertex, "projects/my-project/locations/us-west4/customJobs/9")


def test_a_signal_cancels_the_job(vertex):
    vertex.job_states = [JobState.JOB_STATE_RUNNING]
    name = _start(vertex).name
    request = StopRequest()

    def stop(job):
        request.signal = signal.SIGTERM

    with pytest.raises(Interrupted, match=r"cancelled .*/1; the same pipeline goes on") as raised:
        _wait(vertex, name, request, stop)
    assert raised.value.exit_status == 143
    assert vertex.jobs[name].state == JobState.JOB_STATE_CANCELLED
    assert [request.name for request in vertex.requests("cancel_custom_job")] == [name]


def test_a_signal_leaves_a_job_alone_that_another_run_waits_for(vertex):
    vertex.job_states = [JobState.JOB_STATE_RUNNING]
    name = _start(vertex).name
    with pytest.raises(Interrupted, match=r"customJobs/1 goes on, as another run waits for it"):
        job_service.wait(
            vertex.job_client(),
            _ADDRESS,
            name,
            0.01,
            StopRequest(signal.SIGTERM),
            is_needed=lambda: True,
        )
    assert "cancel_custom_job" not in vertex.methods()


def test_a_signal_while_the_service_is_away_cancels_the_job(vertex):
    vertex.job_states = [JobState.JOB_STATE_RUNNING]
    name = _start(vertex).name
    request = _fails_until_a_signal(vertex, "get_custom_job")
    with pytest.raises(Interrupted, match=r"customJobs/1"):
        _wait(vertex, name, request)
    assert vertex.jobs[name].state == JobState.JOB_STATE_CANCELLED
    methods = vertex.methods()
    assert methods[: methods.index("cancel_custom_job")].count("get_custom_job") == 3


def test_a_signal_before_the_service_answers_at_all_starts_nothing(vertex):
    request = _fails_until_a_signal(vertex, "list_custom_jobs")
    with pytest.raises(Interrupted, match=r"if the job was started .*console\.cloud") as raised:
        _start(vertex, request=request)
    assert raised.value.exit_status == 143
    assert vertex.methods() == ["list_custom_jobs"] * 3


def test_a_signal_while_a_start_is_repeated_starts_nothing_more(vertex):
    request = _fails_until_a_signal(vertex, "create_custom_job", times=2)
    with pytest.raises(Interrupted, match="stopped before a training job was started"):
        _start(vertex, request=request)
    assert vertex.methods().count("create_custom_job") == 2


def test_a_signal_while_a_start_is_not_answered_leaves_the_job_to_be_cancelled(vertex):
    request = StopRequest()
    vertex.job_states = [JobState.JOB_STATE_RUNNING]
    stop = functools.partial(setattr, request, "signal", signal.SIGTERM)
    vertex.lose_answers("create_custom_job", then=stop)
    started = _start(vertex, request=request)
    with pytest.raises(Interrupted, match=r"cancelled .*/1"):
        _wait(vertex, started.name, request)


def test_a_job_that_cannot_be_cancelled_is_told(vertex):
    vertex.job_states = [JobState.JOB_STATE_RUNNING]
    name = _start(vertex).name
    vertex.failures["cancel_custom_job"] = [(grpc.StatusCode.PERMISSION_DENIED, "no")]
    with pytest.raises(Interrupted, match=r"permission denied.*may go on and cost money, see http"):
        _wait(vertex, name, StopRequest(signal.SIGTERM))


def test_without_credentials_the_sentence_says_how_to_get_some(monkeypatch):
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    def none(*_, **__):
        raise DefaultCredentialsError("Your default credentials were not found.")

    monkeypatch.setattr(google.auth, "default", none)
    with pytest.raises(UserError, match=r"credentials are missing.*gcloud auth application-def"):
        google_cloud.connect(JobServiceClient, _ADDRESS.location, _ADDRESS.in_words)

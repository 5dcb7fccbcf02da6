"""Runs on Vertex AI: the `PipelineJob` of google-cloud-aiplatform, sent with its own client.

The message is the one that `google.cloud.aiplatform.PipelineJob` would send (a test compares
them). That class itself is not used to send it: `submit()` makes the bucket of the pipeline
root when there is none, so that a mistyped name costs a bucket, and prints a traceback when
it may not look; it repeats nothing; and its import takes four times as long.
"""

from __future__ import annotations

import contextlib
import functools

from google.api_core import exceptions
from google.cloud.aiplatform_v1 import (
    PipelineJob,
    PipelineServiceClient,
    PipelineState,
    PipelineTaskDetail,
)
from google.rpc import code_pb2, status_pb2

from components.core import google_cloud
from components.core.google_cloud import CALL_SECONDS, translate_errors
from components.core.services import start_once
from components.descriptor_trainer.vertex.address import Address
from pipeline.submission.following import WAITING, Outcome, RunState, Started, TaskState
from pipeline.submission.request import RunRequest

LABELS = {"application": "hpatches"}
_LOOK_SECONDS = 15.0  # for whether a call that was not answered has arrived
_NO_CAPACITY = (code_pb2.RESOURCE_EXHAUSTED, code_pb2.UNAVAILABLE)
_OUTCOMES: dict[int, Outcome] = {
    PipelineState.PIPELINE_STATE_SUCCEEDED: "succeeded",
    PipelineState.PIPELINE_STATE_FAILED: "failed",
    PipelineState.PIPELINE_STATE_CANCELLED: "cancelled",
}
_TaskStates = PipelineTaskDetail.State
_KINDS = {
    _TaskStates.STATE_UNSPECIFIED: WAITING,
    _TaskStates.PENDING: WAITING,
    _TaskStates.RUNNING: "started",
    _TaskStates.CANCEL_PENDING: "started",
    _TaskStates.CANCELLING: "started",
    _TaskStates.SUCCEEDED: "finished",
    _TaskStates.SKIPPED: "cached",
    _TaskStates.FAILED: "failed",
    _TaskStates.CANCELLED: "cancelled",
    _TaskStates.NOT_TRIGGERED: "not triggered",
}


def pipeline_job(
    request: RunRequest, service_account: str | None = None, network: str | None = None
) -> PipelineJob:
    """Returns the message that asks for a run.

    Args:
        request: The run.
        service_account: Account that its tasks run as; None: Compute Engine's default one.
        network: VPC network to be in, `projects/NUMBER/global/networks/NAME`.
    """
    return PipelineJob(
        display_name=request.name,
        pipeline_spec=request.spec,
        labels=LABELS,
        runtime_config=PipelineJob.RuntimeConfig(
            gcs_output_directory=request.root, parameter_values=request.values
        ),
        service_account=service_account,
        network=network,
    )


def submit(
    request: RunRequest,
    place: Address,
    service_account: str | None = None,
    network: str | None = None,
) -> Started:
    """Starts a run; account and network are as for `pipeline_job`.

    Raises:
        UserError: When Vertex AI refuses it, or does not answer.
    """
    client = google_cloud.connect(PipelineServiceClient, place.location, place.in_words)
    job = pipeline_job(request, service_account, network)
    with translate_errors("submitting the pipeline", place.in_words):
        name = _create(client, place, job, request.name)
    page = place.page(request.name, "pipelines/runs")
    return Started(name, page, functools.partial(_look, client, place, name))


def _create(client: PipelineServiceClient, place: Address, job: PipelineJob, job_id: str) -> str:
    """Returns the name of the run that it starts."""
    name = f"{place.parent}/pipelineJobs/{job_id}"  # nobody else has it

    def start() -> str:
        with contextlib.suppress(exceptions.AlreadyExists):  # an earlier call has arrived
            client.create_pipeline_job(
                parent=place.parent, pipeline_job=job, pipeline_job_id=job_id, timeout=CALL_SECONDS
            )
        return name

    def arrived() -> str | None:
        try:
            brief = google_cloud.patience(_LOOK_SECONDS)
            client.get_pipeline_job(name=name, retry=brief, timeout=_LOOK_SECONDS)
        except exceptions.GoogleAPIError:  # there is none, as far as is known
            return None
        return name

    return start_once(start, arrived, google_cloud.is_passing)


def _look(client: PipelineServiceClient, place: Address, name: str) -> RunState:
    with translate_errors(f"watching {name}, which goes on", place.in_words):
        job = client.get_pipeline_job(
            name=name, retry=google_cloud.patience(), timeout=CALL_SECONDS
        )
    return run_state(job)


def run_state(job: PipelineJob) -> RunState:
    """Returns what Vertex AI tells of a run, in the words of all platforms."""
    return RunState(
        words=job.state.name.removeprefix("PIPELINE_STATE_").lower(),
        outcome=_OUTCOMES.get(job.state),
        tasks=tuple(_task_state(detail) for detail in job.job_detail.task_details),
        message=_said(job.error),
        without_capacity=job.error.code in _NO_CAPACITY,
    )


def _task_state(detail: PipelineTaskDetail) -> TaskState:
    seconds = 0.0
    if detail.start_time and detail.end_time:
        seconds = (detail.end_time - detail.start_time).total_seconds()
    return TaskState(
        name=detail.task_name,
        kind=_KINDS.get(detail.state, WAITING),
        seconds=seconds,
        message=_said(detail.error),
        without_capacity=detail.error.code in _NO_CAPACITY,
    )


def _said(status: status_pb2.Status) -> str:
    return " ".join(status.message.split())

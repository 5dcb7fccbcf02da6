"""Vertex AI's job and pipeline services as far as this project calls them, on this machine.

A real gRPC server on the loopback interface, so that requests are what would go over the
wire and errors are what Google's clients make of a status. Requests that the documentation
calls incomplete are refused as Vertex refuses them (INVALID_ARGUMENT).
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent import futures

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1 import CustomJob, JobState, PipelineJob, PipelineState
from google.cloud.aiplatform_v1.services.job_service.transports import JobServiceGrpcTransport
from google.cloud.aiplatform_v1.services.pipeline_service.transports import (
    PipelineServiceGrpcTransport,
)
from google.protobuf import empty_pb2
from google.rpc import status_pb2

_PACKAGE = "google.cloud.aiplatform.v1"
_PARENT = re.compile(r"projects/[a-z0-9-]+/locations/[a-z]+-[a-z]+\d+")
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_PIPELINE_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
_FILTER = re.compile(r'labels\.(\w+)="([^"]*)"')
# Documented under "Configure compute resources for custom training".
_TPU_MACHINES = ("cloud-tpu", "ct5lp-")


class FakeVertex:
    """The services and what happened to them.

    Attributes:
        address: Of the server.
        calls: Methods in the order of their calls, with the request.
        failures: By method, statuses to answer with before anything else is done, in turn.
        job_states: What a job is at one look after the other; the last one stays.
        job_error: Of a job at its end.
        pipeline_states: The same for pipeline runs.
        pipeline_error: Of a pipeline run at its end.
        pipeline_tasks: Task details of a run, at one look after the other; the last stay.
        jobs: Custom jobs by name.
        pipelines: Pipeline runs by name.
        on_create: Called with a custom job that was taken.
        state_of: Tells a job's state in place of `job_states`.
        on_cancel: Called with the name of a custom job that was cancelled.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []
        self.failures: dict[str, list[tuple[grpc.StatusCode, str]]] = defaultdict(list)
        self.job_states = [JobState.JOB_STATE_SUCCEEDED]
        self.job_error = status_pb2.Status()
        self.pipeline_states = [PipelineState.PIPELINE_STATE_SUCCEEDED]
        self.pipeline_error = status_pb2.Status()
        self.pipeline_tasks: list[list[aiplatform_v1.PipelineTaskDetail]] = [[]]
        self.jobs: dict[str, CustomJob] = {}
        self.pipelines: dict[str, PipelineJob] = {}
        self.on_create: Callable[[CustomJob], None] = lambda job: None
        self.on_cancel: Callable[[str], None] = lambda name: None
        self.state_of: Callable[[str], JobState] | None = None
        self.address = ""
        self._looks: dict[str, int] = defaultdict(int)

    @contextlib.contextmanager
    def serve(self) -> Iterator[FakeVertex]:
        """Answers calls while the context is open."""
        server = grpc.server(futures.ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers((_Router(self),))
        self.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield self
        finally:
            server.stop(None).wait()

    def job_client(self) -> aiplatform_v1.JobServiceClient:
        """Returns Google's client of the job service, connected to this server."""
        return self._connected(aiplatform_v1.JobServiceClient, JobServiceGrpcTransport)

    def pipeline_client(self) -> aiplatform_v1.PipelineServiceClient:
        """Returns Google's client of the pipeline service, connected to this server."""
        return self._connected(aiplatform_v1.PipelineServiceClient, PipelineServiceGrpcTransport)

    def _connected(self, client: type, transport: type):
        channel = grpc.insecure_channel(self.address)
        return client(transport=transport(channel=channel, credentials=AnonymousCredentials()))

    def methods(self) -> list[str]:
        """Returns the methods that were called."""
        return [method for method, _ in self.calls]

    def requests(self, method: str) -> list:
        """Returns the requests of a method."""
        return [request for called, request in self.calls if called == method]

    def lose_answers(self, method: str, then: Callable[[], None] = lambda: None) -> None:
        """Has a method do its work, and then something else, and answer UNAVAILABLE."""
        work = getattr(self, method)

        def unanswered(request, context):
            work(request, context)
            then()
            context.abort(grpc.StatusCode.UNAVAILABLE, "the service is restarting")

        setattr(self, method, unanswered)

    def create_custom_job(self, request, context) -> CustomJob:
        job = request.custom_job
        _require(context, _PARENT.fullmatch(request.parent), "parent")
        _require(context, 0 < len(job.display_name) <= 128, "display_name")
        _check_labels(context, job.labels)
        pools = job.job_spec.worker_pool_specs
        _require(context, pools, "worker_pool_specs")
        for pool in pools:
            _require(context, pool.container_spec.image_uri, "container_spec.image_uri")
            _require(context, pool.machine_spec.machine_type, "machine_spec.machine_type")
            _require(context, pool.disk_spec.boot_disk_size_gb >= 100, "boot_disk_size_gb")
            if pool.machine_spec.machine_type.startswith(_TPU_MACHINES):
                _require(context, len(pools) == pool.replica_count == 1, "a single TPU replica")
        base = job.job_spec.base_output_directory.output_uri_prefix
        _require(context, base, "base_output_directory")
        return self.add_job(request.parent, job)

    def add_job(self, parent: str, job: CustomJob) -> CustomJob:
        """Takes a job; answers as the service does after its creation."""
        job = CustomJob(job)
        job.name = f"{parent}/customJobs/{len(self.jobs) + 1}"
        job.state = JobState.JOB_STATE_PENDING
        self.jobs[job.name] = job
        self.on_create(job)
        return job

    def get_custom_job(self, request, context) -> CustomJob:
        if request.name not in self.jobs:
            context.abort(grpc.StatusCode.NOT_FOUND, f"The CustomJob {request.name} is not there")
        job = self.jobs[request.name]
        if job.state != JobState.JOB_STATE_CANCELLED:
            if self.state_of is not None:
                job.state = self.state_of(job.name)
            else:
                job.state = _next(self.job_states, self._looks, job.name)
        if job.state in (JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED):
            job.error = self.job_error
        return job

    def list_custom_jobs(self, request, context) -> aiplatform_v1.ListCustomJobsResponse:
        _require(context, _PARENT.fullmatch(request.parent), "parent")
        key, value = _FILTER.fullmatch(request.filter).groups()
        labelled = [job for job in self.jobs.values() if job.labels.get(key) == value]
        return aiplatform_v1.ListCustomJobsResponse(custom_jobs=labelled)

    def cancel_custom_job(self, request, context) -> empty_pb2.Empty:
        del context
        self.on_cancel(request.name)
        self.jobs[request.name].state = JobState.JOB_STATE_CANCELLED
        return empty_pb2.Empty()

    def create_pipeline_job(self, request, context) -> PipelineJob:
        job = PipelineJob(request.pipeline_job)
        _require(context, _PARENT.fullmatch(request.parent), "parent")
        _require(context, _PIPELINE_ID.fullmatch(request.pipeline_job_id), "pipeline_job_id")
        _check_labels(context, job.labels)
        spec = PipelineJob.to_dict(job)["pipeline_spec"]
        _require(context, spec.get("schemaVersion", "").startswith("2."), "schemaVersion")
        _require(context, spec.get("pipelineInfo", {}).get("name"), "pipelineInfo.name")
        root = job.runtime_config.gcs_output_directory
        _require(context, root.startswith("gs://"), "gcs_output_directory")
        name = f"{request.parent}/pipelineJobs/{request.pipeline_job_id}"
        if name in self.pipelines:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists already")
        job.name = name
        job.state = PipelineState.PIPELINE_STATE_PENDING
        self.pipelines[name] = job
        return job

    def get_pipeline_job(self, request, context) -> PipelineJob:
        if request.name not in self.pipelines:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} is not there")
        job = self.pipelines[request.name]
        look = self._looks[request.name]
        job.state = _next(self.pipeline_states, self._looks, request.name)
        tasks = self.pipeline_tasks[min(look, len(self.pipeline_tasks) - 1)]
        job.job_detail = aiplatform_v1.PipelineJobDetail(task_details=tasks)
        if job.state.name in ("PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"):
            job.error = self.pipeline_error
        return job


_METHODS = {
    f"/{_PACKAGE}.{service}Service/{method}": (
        re.sub(r"(?<=.)([A-Z])", r"_\1", method).lower(),
        getattr(aiplatform_v1, f"{method}Request"),
        serialize,
    )
    for service, method, serialize in (
        ("Job", "CreateCustomJob", CustomJob.serialize),
        ("Job", "GetCustomJob", CustomJob.serialize),
        ("Job", "ListCustomJobs", aiplatform_v1.ListCustomJobsResponse.serialize),
        ("Job", "CancelCustomJob", empty_pb2.Empty.SerializeToString),
        ("Pipeline", "CreatePipelineJob", PipelineJob.serialize),
        ("Pipeline", "GetPipelineJob", PipelineJob.serialize),
    )
}


class _Router(grpc.GenericRpcHandler):
    """Finds what answers a call; a method that is not in the list is UNIMPLEMENTED."""

    def __init__(self, vertex: FakeVertex) -> None:
        self._vertex = vertex

    def service(self, handler_call_details):
        if handler_call_details.method not in _METHODS:
            return None
        name, request_type, serialize = _METHODS[handler_call_details.method]

        def answer(request, context):
            self._vertex.calls.append((name, request))
            if self._vertex.failures[name]:
                context.abort(*self._vertex.failures[name].pop(0))
            return getattr(self._vertex, name)(request, context)

        return grpc.unary_unary_rpc_method_handler(answer, request_type.deserialize, serialize)


def _require(context, condition: object, what: str) -> None:
    if not condition:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{what} is missing or malformed")


def _check_labels(context, labels) -> None:
    for text in (*labels.keys(), *labels.values()):
        _require(context, _LABEL.fullmatch(text), f"label {text}")


def _next(states: list, looks: dict[str, int], name: str):
    state = states[min(looks[name], len(states) - 1)]
    looks[name] += 1
    return state

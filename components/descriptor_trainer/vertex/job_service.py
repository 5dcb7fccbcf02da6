"""The calls to Vertex AI's job service: start a job, watch it, stop it."""

from __future__ import annotations

import time
from collections.abc import Callable

from absl import logging
from google.api_core import retry
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1 import CustomJob, JobServiceClient, JobState

from components.core import google_cloud
from components.core.google_cloud import CALL_SECONDS, translate_errors
from components.core.services import start_once
from components.descriptor_trainer.vertex.address import Address
from components.descriptor_trainer.vertex.job import KEY_LABEL
from trainer.core.errors import UserError
from trainer.core.interruption import Interrupted, StopRequest

_ENDED = (
    JobState.JOB_STATE_SUCCEEDED,
    JobState.JOB_STATE_PARTIALLY_SUCCEEDED,
    JobState.JOB_STATE_FAILED,
    JobState.JOB_STATE_CANCELLED,
    JobState.JOB_STATE_EXPIRED,
)
_GLANCE = 0.02  # seconds between two looks at whether a signal came: a pod has next to none
# Of the thirty or so that Vertex AI leaves after SIGTERM; Kubeflow leaves next to none, and the
# job ends for want of a lease.
_SECONDS_FOR_CANCELLING = 10.0
_LOOK_SECONDS = 10.0  # for one look at a job: a call that hangs hears no signal


def start_or_join(
    client: JobServiceClient, address: Address, job: CustomJob, request: StopRequest
) -> CustomJob:
    """Starts and returns a job, or the one that is at the same work already.

    There is one when an executor before this one was killed without a word; two jobs would
    write the same checkpoints. The same look tells, after a call that was not answered,
    whether it had arrived.

    Raises:
        Interrupted: After a signal, unless there is a job by then, which is to be cancelled.
        UserError: When Vertex AI refuses it.
    """
    try:
        return _start_or_join(client, address, job, request)
    except UserError as error:
        if request.signal is None:
            raise
        raise Interrupted(
            f"{error}; if the job was started after all, the same pipeline joins it, or see "
            f"{address.jobs_page}",
            request.signal,
        ) from error


def _start_or_join(
    client: JobServiceClient, address: Address, job: CustomJob, request: StopRequest
) -> CustomJob:
    def running() -> CustomJob | None:
        job_there = _find_running(client, address, job.labels[KEY_LABEL], request)
        if job_there is not None:
            logging.info("Joining the job that runs already: %s", job_there.name)
        elif request.signal is not None:
            raise Interrupted("stopped before a training job was started", request.signal)
        return job_there

    def start() -> CustomJob:
        started = client.create_custom_job(
            parent=address.parent, custom_job=job, timeout=CALL_SECONDS
        )
        logging.info("Started %s: %s", started.name, address.page(started.name))
        return started

    with translate_errors("starting the training job", address.in_words):
        return running() or start_once(
            start, running, google_cloud.is_passing, lambda seconds: _pause(seconds, request)
        )


def _find_running(
    client: JobServiceClient, address: Address, key: str, request: StopRequest
) -> CustomJob | None:
    jobs = client.list_custom_jobs(
        request=aiplatform_v1.ListCustomJobsRequest(
            parent=address.parent, filter=f'labels.{KEY_LABEL}="{key}"'
        ),
        retry=_patience_until(request),
        timeout=_LOOK_SECONDS,
    )
    leaving = (*_ENDED, JobState.JOB_STATE_CANCELLING)
    running = [job for job in jobs if job.state not in leaving]
    return running[0] if running else None


def wait(
    client: JobServiceClient,
    address: Address,
    name: str,
    poll_seconds: float,
    request: StopRequest,
    on_look: Callable[[CustomJob], None] = lambda job: None,
    is_needed: Callable[[], bool] = lambda: False,
) -> CustomJob:
    """Watches a job until it ends, and returns it, however that was.

    `on_look` is called with it at each look. A signal cancels it, unless `is_needed` tells that
    somebody else waits for it.

    Raises:
        Interrupted: After a signal.
        UserError: When Vertex AI does not tell of the job any more; it may go on.
    """
    state: JobState | None = None
    while True:
        job = _look(client, address, name, request)
        if job is not None:
            if job.state != state:
                state = job.state
                logging.info("%s is %s", name, words(state))
            on_look(job)
            if state in _ENDED:
                return job
            _pause(poll_seconds, request)
        if request.signal is not None:
            if is_needed():
                raise Interrupted(f"{name} goes on, as another run waits for it", request.signal)
            done = _cancel(client, address, name)
            raise Interrupted(
                f"{done}; the same pipeline goes on from its last checkpoint", request.signal
            )


def _look(
    client: JobServiceClient, address: Address, name: str, request: StopRequest
) -> CustomJob | None:
    """Returns a job; None when a signal came before there was an answer."""
    try:
        with translate_errors(f"watching {name}, which goes on", address.in_words):
            return client.get_custom_job(
                name=name, retry=_patience_until(request), timeout=_LOOK_SECONDS
            )
    except UserError:
        if request.signal is None:
            raise
        return None


def _patience_until(request: StopRequest) -> retry.Retry:
    return google_cloud.patience(stopped=lambda: request.signal is not None)


def words(state: JobState) -> str:
    """Returns a state in words.

    Example:
        >>> words(JobState.JOB_STATE_PARTIALLY_SUCCEEDED)
        'partially succeeded'
    """
    return JobState(state).name.removeprefix("JOB_STATE_").lower().replace("_", " ")


def _cancel(client: JobServiceClient, address: Address, name: str) -> str:
    """Cancels a job and waits a little for it to be so; says in words what came of it."""
    end = time.monotonic() + _SECONDS_FOR_CANCELLING
    try:
        with translate_errors(f"cancelling {name}", address.in_words):
            brief = google_cloud.patience(_SECONDS_FOR_CANCELLING)
            client.cancel_custom_job(name=name, retry=brief, timeout=_SECONDS_FOR_CANCELLING)
            while time.monotonic() < end:
                if client.get_custom_job(name=name, timeout=_LOOK_SECONDS).state in _ENDED:
                    return f"cancelled {name}"
                _sleep(_GLANCE)
    except UserError as error:
        return f"{error}: it may go on and cost money, see {address.page(name)}"
    return f"asked to cancel {name}, which is not done yet, see {address.page(name)}"


def _pause(seconds: float, request: StopRequest) -> None:
    """Sleeps, and wakes up for a signal."""
    while request.signal is None and seconds > 0:
        _sleep(min(_GLANCE, seconds))
        seconds -= _GLANCE


def _sleep(seconds: float) -> None:
    time.sleep(seconds)

"""Runs on Kubeflow Pipelines, through `kfp.Client` (API v2beta1)."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterator
from typing import Any

import kfp_server_api
from kfp.client import Client
from kfp_server_api import V2beta1PipelineTaskDetail, V2beta1Run

from components.core.services import start_once
from pipeline.kfp import files
from pipeline.submission import kubeflow_errors, kubeflow_pods
from pipeline.submission.following import WAITING, Outcome, RunState, Started, TaskState
from pipeline.submission.kubeflow_errors import translate_errors
from pipeline.submission.places import Cluster
from pipeline.submission.request import RunRequest
from trainer.core.errors import UserError

UI_VARIABLE = "KF_PIPELINES_UI_ENDPOINT"  # kfp's own
_AGAIN = "press Retry there, which keeps the tasks that were finished, or submit it again"
_CALL_SECONDS = 60.0
_EQUALS = 1  # in the API's filter.proto
_OUTCOMES: dict[str, Outcome] = {
    "SUCCEEDED": "succeeded",
    "SKIPPED": "succeeded",
    "FAILED": "failed",
    "CANCELED": "cancelled",
}
_KINDS = {
    "RUNNING": "started",
    "CANCELING": "started",
    "PAUSED": "started",
    "SUCCEEDED": "finished",
    "SKIPPED": "skipped",
    "FAILED": "failed",
    "CANCELED": "cancelled",
}


class _Client(Client):
    """kfp's client, but what it asks when it is made fails at once, with the reason.

    The original tries five times, with a traceback for each, and then forgets the reason.
    """

    several_users = False

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
        get = _call(self.healthzs, "healthz_service", "get_healthz")
        health = get(_request_timeout=_CALL_SECONDS)
        self.several_users = bool(health.multi_user)
        return health


def connect(place: Cluster) -> Client:
    """Returns kfp's client.

    Raises:
        UserError: When there is no Kubeflow Pipelines, or it does not let in.
    """
    make = functools.partial(
        _Client,
        host=place.host,
        existing_token=place.token,
        ssl_ca_cert=place.ca_cert,
        **({"namespace": place.namespace} if place.namespace else {}),
    )
    with translate_errors("connecting to Kubeflow Pipelines", place.host), _quiet():
        client = kubeflow_errors.patience_at_first()(make)()
    if client.several_users and not (place.namespace or client.get_user_namespace()):
        raise UserError(
            f"--namespace: not given, but the Kubeflow at {place.host} serves several users; "
            "expected the namespace of a profile"
        )
    return client


def submit(
    request: RunRequest,
    place: Cluster,
    experiment: str | None = None,
    service_account: str | None = None,
) -> Started:
    """Starts a run.

    Args:
        request: The run.
        place: The cluster.
        experiment: That the run belongs to; it is made when there is none. None: one that is
            named like the pipeline.
        service_account: Kubernetes account that the tasks run as; None: the cluster's default.

    Raises:
        UserError: When Kubeflow refuses it, or does not answer.
    """
    client = connect(place)
    with translate_errors("submitting the pipeline", place.host), _quiet():
        made = kubeflow_errors.patience_at_first()(client.create_experiment)(
            name=experiment or request.pipeline, namespace=place.namespace
        )
        _check_answer(place, made.experiment_id)
        run = _create(client, request, made.experiment_id, service_account)
        _check_answer(place, run.run_id)
    page = f"{os.environ.get(UI_VARIABLE, place.host).rstrip('/')}/#/runs/details/{run.run_id}"
    look = functools.partial(_look, client, place, run.run_id, frozenset(request.tasks))
    return Started(request.name, page, look, _AGAIN)


def _create(
    client: Client, request: RunRequest, experiment_id: str, service_account: str | None
) -> V2beta1Run:
    with tempfile.TemporaryDirectory() as folder:
        # What was checked is what is sent, whatever format it was read from.
        package = f"{folder}/pipeline.yaml"
        files.write(request.spec, package)
        start = functools.partial(
            client.run_pipeline,
            experiment_id=experiment_id,
            job_name=request.name,
            pipeline_package_path=package,
            params=request.values,
            pipeline_root=request.root,
            service_account=service_account,
        )
        # Nobody else has this name.
        arrived = functools.partial(_find, client, request.name, experiment_id)
        return start_once(start, arrived, kubeflow_errors.is_passing)


def _find(client: Client, name: str, experiment_id: str) -> V2beta1Run | None:
    predicate = {"operation": _EQUALS, "key": "display_name", "stringValue": name}
    listed = kubeflow_errors.patience()(client.list_runs)(
        experiment_id=experiment_id, filter=json.dumps({"predicates": [predicate]})
    )
    return listed.runs[0] if listed.runs else None


def _check_answer(place: Cluster, answer: str | None) -> None:
    if not answer:
        raise UserError(
            f"{place.host} answers, but not as Kubeflow Pipelines does (a page to log in?); "
            "expected as --host the address that the API is below, e.g. "
            "https://KUBEFLOW/pipeline, and a --token-file where it asks who you are"
        )


def _look(client: Client, place: Cluster, run_id: str, names: Collection[str]) -> RunState:
    with translate_errors(f"watching the run {run_id}, which goes on", place.host):
        get = kubeflow_errors.patience()(_call(client.runs, "run_service", "get_run"))
        run = get(run_id=run_id, _request_timeout=_CALL_SECONDS)
    state = run_state(run)
    # Kubeflow counts what tasks are inside of, and what runs for them, as tasks, too.
    tasks = tuple(task for task in state.tasks if task.name in names)
    state = dataclasses.replace(state, tasks=tasks)
    return _with_reasons(state, client, place, run) if state.outcome == "failed" else state


def _with_reasons(state: RunState, client: Client, place: Cluster, run: V2beta1Run) -> RunState:
    """Returns a run that failed with what the pods of its tasks say, where its API does not."""
    namespace = place.namespace or client.get_user_namespace()
    details = (run.run_details and run.run_details.task_details) or []

    def told(task: TaskState) -> TaskState:
        if task.kind != "failed" or task.message:
            return task
        said = kubeflow_pods.why(client.runs.api_client, namespace, task.name, details)
        return dataclasses.replace(task, message=said)

    return dataclasses.replace(state, tasks=tuple(told(task) for task in state.tasks))


def run_state(run: V2beta1Run) -> RunState:
    """Returns what Kubeflow tells of a run, in the words of all platforms.

    Kubeflow has tasks of its own beside those of the pipeline (`root`, drivers); a task that
    was tried again occurs several times, of which the latest counts.
    """
    latest: dict[str, V2beta1PipelineTaskDetail] = {}
    details = (run.run_details and run.run_details.task_details) or []
    for detail in sorted(details, key=lambda detail: str(detail.create_time or "")):
        if detail.display_name:
            latest[detail.display_name] = detail
    return RunState(
        words=(run.state or "PENDING").lower(),
        outcome=_OUTCOMES.get(run.state or ""),
        tasks=tuple(_task_state(name, detail) for name, detail in latest.items()),
        message=_said(run.error) or _last_error(run),
    )


def _task_state(name: str, detail: V2beta1PipelineTaskDetail) -> TaskState:
    seconds = 0.0
    if detail.start_time and detail.end_time:
        seconds = max(0.0, (detail.end_time - detail.start_time).total_seconds())
    return TaskState(name, _KINDS.get(detail.state or "", WAITING), seconds, _said(detail.error))


def _last_error(run: V2beta1Run) -> str:
    errors = [_said(state.error) for state in run.state_history or ()]
    return next((error for error in reversed(errors) if error), "")


def _said(status: kfp_server_api.GooglerpcStatus | None) -> str:
    return " ".join((status.message or "").split()) if status else ""


def _call(api: Any, service: str, name: str) -> Callable[..., Any]:
    """Returns a call of a generated client, whose newer versions put the service's name first."""
    return getattr(api, f"{service}_{name}", None) or getattr(api, name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps kfp from printing what the command says better."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield

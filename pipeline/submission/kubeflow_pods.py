"""Why a task failed, as its pod's state tells it.

Kubeflow's API tells that a task failed and not why. Its web page asks Kubernetes for a pod's
state at `/k8s/pod`, and so does this, where the page and the API have one address; in the state
stand the task's last words (`components.kubeflow.last_words`), that its memory ran out, or
that its machine was taken away.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kfp_server_api import ApiClient, ApiException, V2beta1PipelineTaskDetail
from urllib3.exceptions import HTTPError

from components.core.services import one_line
from components.kubeflow.run_executor import MISTAKE

_SECONDS = 20.0
_STANDALONE = "kubeflow"  # namespace of a Kubeflow without profiles
_CONTAINER = "main"  # as Argo names it
_EXECUTOR = "executor"  # as Kubeflow's compiler names what runs for a task


def why(
    api: ApiClient,
    namespace: str | None,
    name: str,
    details: Iterable[V2beta1PipelineTaskDetail],
) -> str:
    """Returns why a task failed; "" when nobody tells; no namespace: one without profiles."""
    for pod in _pods(name, list(details)):
        state = _ask(api, pod, namespace or _STANDALONE)
        if state and (said := in_words(state, name)):
            return said
    return ""


def in_words(pod: Mapping[str, Any], task: str) -> str:
    """Returns what a pod's state says of its end.

    Example:
        >>> in_words({"status": {"reason": "Evicted", "message": "low on memory"}}, "Transform")
        'its pod was Evicted: low on memory'
    """
    status = pod.get("status", {})
    ended: Mapping[str, Any] = next(
        (
            container.get("state", {}).get("terminated", {})
            for container in status.get("containerStatuses", ())
            if container.get("name") == _CONTAINER
        ),
        {},
    )
    said = _last_line(ended.get("message", ""))
    if ended.get("reason") == "OOMKilled" or said.endswith("signal: killed"):
        certain = ended.get("reason") == "OOMKilled"
        how = "its memory ran out" if certain else "it was killed, as when memory runs out"
        return f"{how}; give it more with platform.resources.{task}.memory"
    if said:
        return said
    if status.get("reason"):
        return f"its pod was {status['reason']}: {_last_line(status.get('message', ''))}"
    waiting = [
        container.get("state", {}).get("waiting", {})
        for container in status.get("containerStatuses", ())
    ]
    told = [f"{w.get('reason')}: {_last_line(w.get('message', ''))}" for w in waiting if w]
    return told[0] if told else ""


def _pods(name: str, details: list[V2beta1PipelineTaskDetail]) -> Iterator[str]:
    """Yields the pods that a task ran in, the newest first."""
    by_pod = {detail.pod_name: detail for detail in details if detail.pod_name}
    attempts = [detail for detail in details if detail.display_name == name]
    for detail in reversed(attempts):
        pods, ahead = [], [detail]
        while ahead:
            here = ahead.pop()
            if here.pod_name and here.pod_name not in pods:
                pods.append(here.pod_name)
                below = [by_pod.get(child.pod_name) for child in here.child_tasks or ()]
                ahead += [
                    child
                    for child in below
                    if child is not None and (child.display_name or "").startswith(_EXECUTOR)
                ]
        yield from reversed(pods)


def _ask(api: ApiClient, pod: str, namespace: str) -> Mapping[str, Any]:
    """Returns a pod's state; {} where there is no page, or the pod is gone."""
    with contextlib.suppress(ApiException, HTTPError, ValueError):
        state = api.call_api(
            "/k8s/pod",
            "GET",
            query_params=[("podname", pod), ("podnamespace", namespace)],
            header_params={"Accept": "application/json"},
            response_type="object",
            auth_settings=["Bearer"],
            _return_http_data_only=True,
            _request_timeout=_SECONDS,
        )
        if isinstance(state, dict):
            return state
    return {}


def _last_line(text: str) -> str:
    """Returns the line of a task's last words, or of its log, that says most."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    told = [line.removeprefix(MISTAKE) for line in lines if line.startswith(MISTAKE)]
    return one_line((told or lines or [""])[-1])

"""The pieces of Kubeflow Pipelines' API v2beta1 that this project calls, on this machine.

A real HTTP server on the loopback interface. Paths, fields and states are those of the
published API description (`backend/api/v2beta1/swagger`), from which kfp_server_api was
generated: a request body with a field, or a type of one, that is not in it is refused as the
gateway refuses it, and answers have the form of google.rpc.Status where they are errors.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

_EQUALS = (1, "EQUALS")
_TYPES = {"STRING": str, "NUMBER_INTEGER": (int, float), "NUMBER_DOUBLE": (int, float)}
_PLAIN = {"str": str, "int": int, "bool": bool, "object": object, "datetime": str}
# HTTP status and gRPC code of the errors that the gateway knows.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 500: 13, 503: 14}


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class FakeKubeflow:
    """The service and what happened to it.

    Attributes:
        host: Its address.
        calls: `METHOD path` in the order of the calls.
        tokens: Authorization header of each call; None for none.
        failures: By `METHOD path`, (status, message) to answer with before anything is done.
        lost_answers: How many runs are taken, and then answered with 503.
        token: Bearer token that is asked for; None for none.
        several_users: Whether namespaces are asked for.
        page_for_people: Answered in place of everything else, as a page to log in is.
        states: What a run is at one look after the other; the last one stays.
        tasks: Its task details at one look after the other; the last ones stay.
        error: Of a run that failed.
        pods: State of a pod by namespace and name, as the web page beside the API tells it.
        experiments: By id.
        runs: By id, as they were created.
    """

    def __init__(self) -> None:
        self.host = ""
        self.calls: list[str] = []
        self.tokens: list[str | None] = []
        self.failures: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.lost_answers = 0
        self.token: str | None = None
        self.several_users = False
        self.page_for_people = ""
        self.states = ["SUCCEEDED"]
        self.tasks: list[list[dict[str, Any]]] = [[]]
        self.error: dict[str, Any] = {}
        self.pods: dict[tuple[str, str], dict[str, Any]] = {}
        self.experiments: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self._looks: dict[str, int] = defaultdict(int)

    @contextlib.contextmanager
    def serve(self) -> Iterator[FakeKubeflow]:
        """Answers calls while the context is open."""
        handler = type("Handler", (_Handler,), {"kubeflow": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.host = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, token: str | None):
        """Returns the answer to a call.

        Raises:
            RefusedError: With an HTTP status and what is wrong.
        """
        call = method + " " + re.sub(r"(runs|experiments)/[^/:]+", r"\1/ID", path)
        self.calls.append(call)
        self.tokens.append(token)
        if self.failures[call]:
            raise RefusedError(*self.failures[call].pop(0))
        if self.token is not None and token != f"Bearer {self.token}":
            raise RefusedError(401, "Request header error: there is no user identity header.")
        known = {
            "GET /apis/v2beta1/healthz": lambda: {"multi_user": self.several_users},
            "GET /apis/v2beta1/experiments": lambda: self._list_experiments(query),
            "POST /apis/v2beta1/experiments": lambda: self._create_experiment(body),
            "GET /apis/v2beta1/runs": lambda: self._list_runs(query),
            "POST /apis/v2beta1/runs": lambda: self._create_run(body),
            "GET /apis/v2beta1/runs/ID": lambda: self._get_run(path.rpartition("/")[2]),
            "GET /k8s/pod": lambda: self._get_pod(query),
        }
        if call not in known:
            raise RefusedError(404, "Not Found")
        return known[call]()

    def _get_pod(self, query: dict[str, str]) -> dict[str, Any]:
        _only(query, "podname", "podnamespace")
        if not query.get("podname") or not query.get("podnamespace"):
            raise RefusedError(422, "podname and podnamespace arguments are required")
        if (query["podnamespace"], query["podname"]) not in self.pods:
            raise RefusedError(500, "Could not get pod")
        return self.pods[query["podnamespace"], query["podname"]]

    def _list_experiments(self, query: dict[str, str]) -> dict[str, Any]:
        _only(query, "page_token", "page_size", "sort_by", "filter", "namespace")
        name = _filtered_name(query)
        namespace = query.get("namespace", "")
        if self.several_users and not namespace:
            raise RefusedError(400, "Invalid input error: Namespace is empty")
        listed = [
            experiment
            for experiment in self.experiments.values()
            if name in (None, experiment["display_name"])
            and experiment.get("namespace", "") == namespace
        ]
        return {"experiments": listed, "total_size": len(listed)} if listed else {}

    def _create_experiment(self, body: Any) -> dict[str, Any]:
        _check(body, kfp_server_api.V2beta1Experiment)
        _require(body.get("display_name"), "Experiment name is empty")
        _require(body.get("namespace") or not self.several_users, "Namespace is empty")
        if body["display_name"] in [each["display_name"] for each in self.experiments.values()]:
            raise RefusedError(409, f"Already exist error: {body['display_name']}")
        created = {**body, "experiment_id": f"experiment-{len(self.experiments) + 1}"}
        self.experiments[created["experiment_id"]] = created
        return created

    def _list_runs(self, query: dict[str, str]) -> dict[str, Any]:
        _only(query, "page_token", "page_size", "sort_by", "filter", "namespace", "experiment_id")
        name, experiment = _filtered_name(query), query.get("experiment_id")
        listed = [
            run
            for run in self.runs.values()
            if name in (None, run["display_name"]) and experiment in (None, run["experiment_id"])
        ]
        return {"runs": listed, "total_size": len(listed)} if listed else {}

    def _create_run(self, body: Any) -> dict[str, Any]:
        _check(body, kfp_server_api.V2beta1Run)
        _require(body.get("display_name"), "The run name is empty")
        if body.get("experiment_id") not in self.experiments:
            raise RefusedError(404, f"Experiment {body.get('experiment_id')} not found")
        config = body.get("runtime_config", {})
        _check_spec(body.get("pipeline_spec"), config.get("parameters", {}))
        created = {**body, "run_id": f"run-{len(self.runs) + 1}", "state": "PENDING"}
        self.runs[created["run_id"]] = created
        if self.lost_answers:
            self.lost_answers -= 1
            raise RefusedError(503, "upstream connect error or disconnect/reset before headers")
        return created

    def _get_run(self, run_id: str) -> dict[str, Any]:
        if run_id not in self.runs:
            raise RefusedError(404, f"Run {run_id} not found")
        look = self._looks[run_id]
        self._looks[run_id] += 1
        run = dict(self.runs[run_id], state=self.states[min(look, len(self.states) - 1)])
        run["run_details"] = {"task_details": self.tasks[min(look, len(self.tasks) - 1)]}
        if run["state"] == "FAILED" and self.error:
            run["error"] = self.error
        return run


class _Handler(BaseHTTPRequestHandler):
    kubeflow: FakeKubeflow

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def _answer(self, body: Any) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        status, kind = 200, "application/json"
        token = self.headers.get("Authorization")
        try:
            answer = self.kubeflow.answer(self.command, parts.path, query, body, token)
            text = json.dumps(answer)
        except RefusedError as refused:
            status = refused.status
            code = _CODES.get(status, 2)
            text = json.dumps({"error": refused.message, "code": code, "message": refused.message})
        if self.kubeflow.page_for_people:
            status, kind, text = 200, "text/html", self.kubeflow.page_for_people
        content = text.encode()
        self.send_response(HTTPStatus(status))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _check(body: Any, model: type) -> None:
    """Refuses a body that the API description does not allow."""
    _require(isinstance(body, dict), f"{model.__name__}: no mapping")
    types = {
        json_name: model.openapi_types[name] for name, json_name in model.attribute_map.items()
    }
    for key, value in body.items():
        _require(key in types, f'unknown field "{key}" in {model.__name__}')
        kind = types[key]
        if hasattr(kfp_server_api, kind):
            _check(value, getattr(kfp_server_api, kind))
        else:
            expected = _PLAIN.get(kind, dict if kind.startswith("dict") else list)
            _require(isinstance(value, expected), f'field "{key}" is no {kind}')


def _check_spec(spec: Any, values: dict[str, Any]) -> None:
    """Refuses what the server's compiler refuses: no spec, or parameters that do not fit it."""
    try:
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise RefusedError(400, f"Failed to parse the pipeline spec: {error}") from error
    declared = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    for name, definition in declared.items():
        given = name in values or definition.get("isOptional") or "defaultValue" in definition
        _require(given, f"parameter {name} is not optional, yet has neither default nor value")
    for name, value in values.items():
        _require(name in declared, f"parameter {name} is not declared")
        kind = declared[name]["parameterType"]
        _require(isinstance(value, _TYPES.get(kind, object)), f"parameter {name} is no {kind}")


def _only(query: dict[str, str], *names: str) -> None:
    for name in query:
        _require(name in names, f"unknown query parameter {name}")


def _filtered_name(query: dict[str, str]) -> str | None:
    """Returns the name that a filter (filter.proto as JSON) asks for."""
    if "filter" not in query:
        return None
    (predicate,) = json.loads(query["filter"])["predicates"]
    _require(predicate["operation"] in _EQUALS, "filter: operation")
    _require(predicate["key"] == "display_name", "filter: key")
    return predicate["stringValue"]


def _require(condition: object, message: str) -> None:
    if not condition:
        raise RefusedError(400, f"Invalid input error: {message}")

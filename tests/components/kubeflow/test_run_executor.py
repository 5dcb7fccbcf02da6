"""The entry point of compiled tasks, on what the open-source backend hands to it."""

from __future__ import annotations

import json
import runpy
import sys

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils
from tfx.types import standard_artifacts

from components.kubeflow import run_executor
from components.kubeflow.run_executor import INPUTS_SPEC, INVOCATION, with_artifact_types
from trainer.core.errors import UserError

_SCHEMA = "title: tfx.Model\ntype: object\n"
_DEFINED = {"artifacts": {"model": {"artifactType": {"instanceSchema": _SCHEMA}}}}


def _arguments(artifact_type: dict | None) -> list[str]:
    artifact = {"name": "7", "uri": "gs://b/model", "metadata": {"exists": 1.0}}
    if artifact_type is not None:
        artifact["type"] = artifact_type
    invocation = {"inputs": {"artifacts": {"model": {"artifacts": [artifact]}}}}
    return ["--runner=x", INVOCATION, json.dumps(invocation), INPUTS_SPEC, json.dumps(_DEFINED)]


def _parse(arguments: list[str]) -> standard_artifacts.Model:
    """Reads the input as TFX's entry point does."""
    text = arguments[arguments.index(INVOCATION) + 1]
    read = json_format.Parse(text, pipeline_spec_pb2.ExecutorInput())
    found = kubeflow_v2_entrypoint_utils.parse_raw_artifact_dict(read.inputs.artifacts)
    return found["model"][0]


@pytest.mark.parametrize("left_out", [{"instanceSchema": ""}, {}, None])
def test_an_artifact_without_a_type_gets_that_of_the_components_definition(left_out):
    arguments = _arguments(left_out)
    with pytest.raises((AttributeError, UnboundLocalError)):  # the reason for all this
        _parse(arguments)
    model = _parse(with_artifact_types(arguments))
    assert type(model) is standard_artifacts.Model
    assert model.uri == "gs://b/model" and model.get_int_custom_property("exists") == 1


@pytest.mark.parametrize("given", [{"schemaTitle": "tfx.Examples"}, {"instanceSchema": _SCHEMA}])
def test_a_type_that_is_there_stays(given):
    completed = with_artifact_types(_arguments(given))
    invocation = json.loads(completed[completed.index(INVOCATION) + 1])
    assert invocation["inputs"]["artifacts"]["model"]["artifacts"][0]["type"] == given


def test_other_arguments_stay_as_they_are():
    assert with_artifact_types(["--help"]) == ["--help"]
    arguments = _arguments({"instanceSchema": ""})
    completed = with_artifact_types(arguments)
    assert [completed[0], *completed[3:]] == [arguments[0], *arguments[3:]]


def _raising(error: BaseException):
    def run_module(*_arguments, **_named):
        raise error

    return run_module


@pytest.mark.parametrize(
    "error",
    [
        UserError("a.png is empty"),
        RuntimeError("Traceback\ntrainer.errors.UserError: a.png is empty [while running 'Cut']"),
    ],
)
def test_a_users_mistake_is_the_last_line_of_the_log(monkeypatch, capsys, error):
    monkeypatch.setattr(runpy, "run_module", _raising(error))
    monkeypatch.setattr(sys, "argv", ["run_executor"])
    with pytest.raises(SystemExit) as exit_:
        run_executor.main()
    assert exit_.value.code == 2
    assert capsys.readouterr().err == "UserError: a.png is empty\n"


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(runpy, "run_module", _raising(ZeroDivisionError()))
    monkeypatch.setattr(sys, "argv", ["run_executor"])
    with pytest.raises(ZeroDivisionError):
        run_executor.main()

"""What the open-source backend hands to a task, and what TFX gets of it."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils
from tfx.types import standard_artifacts

from components.kubeflow.invocation import INPUTS_SPEC, INVOCATION, completed, output_folders

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
    by_key = kubeflow_v2_entrypoint_utils.parse_raw_artifact_dict(read.inputs.artifacts)
    return by_key["model"][0]


@pytest.mark.parametrize("left_out", [{"instanceSchema": ""}, {}, None])
def test_an_artifact_without_a_type_gets_that_of_the_components_definition(left_out):
    arguments = _arguments(left_out)
    with pytest.raises((AttributeError, UnboundLocalError)):  # the reason for all this
        _parse(arguments)
    model = _parse(completed(arguments))
    assert type(model) is standard_artifacts.Model
    assert model.uri == "gs://b/model" and model.get_int_custom_property("exists") == 1


@pytest.mark.parametrize("given", [{"schemaTitle": "tfx.Examples"}, {"instanceSchema": _SCHEMA}])
def test_a_type_that_is_there_stays(given):
    changed = completed(_arguments(given))
    invocation = json.loads(changed[changed.index(INVOCATION) + 1])
    assert invocation["inputs"]["artifacts"]["model"]["artifacts"][0]["type"] == given


def test_other_arguments_stay_as_they_are():
    assert completed(["--help"]) == ["--help"]
    arguments = _arguments({"instanceSchema": ""})
    changed = completed(arguments)
    assert [changed[0], *changed[3:]] == [arguments[0], *arguments[3:]]


@pytest.mark.parametrize(
    "told", [{"schemaTitle": "system.Model"}, {"instanceSchema": "title: system.Model"}]
)
def test_a_type_of_the_backends_own_gives_way_to_that_of_the_definition(told):
    model = _parse(completed(_arguments(told)))
    assert type(model) is standard_artifacts.Model


_LOGS = {
    "name": "executor-logs",
    "uri": "gs://b/task/1/executor-logs",
    "type": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"},
}
_MODEL = {"uri": "gs://b/task/1/model", "type": {"instanceSchema": _SCHEMA}}


def test_an_output_that_no_component_declares_never_reaches_tfx():
    outputs = {"model": {"artifacts": [_MODEL]}, "executor-logs": {"artifacts": [_LOGS]}}
    arguments = [INVOCATION, json.dumps({"outputs": {"artifacts": outputs}})]
    read = json_format.Parse(arguments[1], pipeline_spec_pb2.ExecutorInput())
    with pytest.raises(ImportError, match=r"system\.Artifact"):  # the reason for all this
        kubeflow_v2_entrypoint_utils.parse_raw_artifact_dict(read.outputs.artifacts)
    changed = completed(arguments)
    read = json_format.Parse(changed[1], pipeline_spec_pb2.ExecutorInput())
    by_key = kubeflow_v2_entrypoint_utils.parse_raw_artifact_dict(read.outputs.artifacts)
    assert list(by_key) == ["model"] and type(by_key["model"][0]) is standard_artifacts.Model
    assert output_folders(changed) == ["gs://b/task/1/model"]

"""Trees beside the definition of a protocol buffer: what its JSON may look like, and what not."""

from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.kfp import form

_DEFINITION = pipeline_spec_pb2.PipelineDeploymentConfig


def _of_container(**parts: Any) -> dict[str, Any]:
    return {"executors": {"check": {"container": parts}}}


@pytest.mark.parametrize(
    "tree",
    [
        {},
        _of_container(image="a", args=["b", ""], env=[{"name": "c"}]),
        _of_container(resources={"cpuLimit": 2, "memory_limit": "7.5"}),  # either name of a field
        _of_container(resources={"accelerator": {"count": "2"}}),  # int64 is a text in JSON
        _of_container(resources={"accelerator": {"count": 2.0}}),
        {"executors": {"check": {"importer": {"reimport": True, "metadata": {"a": [1, None]}}}}},
    ],
)
def test_what_the_parser_takes_has_no_problem(tree):
    json_format.ParseDict(tree, _DEFINITION())
    assert list(form.problems(tree, _DEFINITION.DESCRIPTOR, "")) == []


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        (["a"], "deploymentSpec: found ['a'], expected a mapping"),
        ({"executors": ["a"]}, "deploymentSpec.executors: found ['a'], expected a mapping"),
        ({"executor": {}}, "deploymentSpec.executor: unknown, expected one of executors"),
        (
            _of_container(args=["a", None]),
            "deploymentSpec.executors.check.container.args[1]: found None, expected a text",
        ),
        (
            _of_container(resources={"cpuLimit": "all"}),
            "deploymentSpec.executors.check.container.resources.cpuLimit: found 'all', expected a "
            "number",
        ),
        (
            _of_container(args=["a"], command="x" * 100),
            "deploymentSpec.executors.check.container.command: found '" + "x" * 59 + "..., "
            "expected a list",
        ),
        (
            _of_container(resources={"accelerator": {"type": "NVIDIA_L4", "count": 1.5}}),
            "deploymentSpec.executors.check.container.resources.accelerator.count: found 1.5, "
            "expected an integer",
        ),
        (
            {"executors": {"check": {"importer": {"reimport": "yes"}}}},
            "deploymentSpec.executors.check.importer.reimport: found 'yes', expected true or false",
        ),
    ],
)
def test_what_it_does_not_take_is_told_with_its_place(tree, problem):
    with pytest.raises((json_format.ParseError, TypeError, AttributeError)):
        json_format.ParseDict(tree, _DEFINITION())
    assert list(form.problems(tree, _DEFINITION.DESCRIPTOR, "deploymentSpec")) == [problem]


def test_nothing_in_the_place_of_a_value_is_told_although_the_parser_takes_it():
    """The rest of the checks relies on what is there being of its type."""
    tree = _of_container(image=None)
    json_format.ParseDict(tree, _DEFINITION())
    (problem,) = form.problems(tree, _DEFINITION.DESCRIPTOR, "")
    assert problem == "executors.check.container.image: found None, expected a text"


def test_every_problem_is_told_and_what_an_enumeration_may_be():
    tree = _of_container(image=1, args=[2, "a", 3])
    assert len(list(form.problems(tree, _DEFINITION.DESCRIPTOR, ""))) == 3
    parameters = pipeline_spec_pb2.ComponentInputsSpec
    tree = {"parameters": {"bless": {"parameterType": "TEXT"}}}
    (problem,) = form.problems(tree, parameters.DESCRIPTOR, "")
    told = "parameters.bless.parameterType: found 'TEXT', expected one of PARAMETER_TYPE_ENUM_UN"
    assert problem.startswith(told)


@pytest.mark.parametrize("value", [None, 1, "a", [1], {"a": None}])
def test_any_json_is_a_value(value):
    assert list(form.problems(value, struct_pb2.Value.DESCRIPTOR, "x")) == []

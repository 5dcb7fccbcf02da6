"""Where the inputs of a task come from, and where its outputs go."""

from pipeline.kfp.local.executor_input import plan_outputs, resolve_inputs
from pipeline.kfp.local.outcomes import Outcome
from pipeline.kfp.tasks import Task

_TASK = Task(
    name="a",
    component={
        "inputDefinitions": {
            "artifacts": {"model": {}, "base": {"isOptional": True}},
            "parameters": {
                "of_the_run": {"parameterType": "STRING"},
                "of_a_task": {"parameterType": "NUMBER_INTEGER"},
                "fixed": {"parameterType": "LIST"},
                "by_default": {"parameterType": "STRING", "defaultValue": "d"},
                "left_out": {"parameterType": "STRING", "isOptional": True},
            },
        },
        "outputDefinitions": {
            "artifacts": {"made": {"artifactType": {"schemaTitle": "T"}, "metadata": {"k": 1}}},
            "parameters": {"count": {}},
        },
    },
    executor={},
    inputs={
        "artifacts": {
            "model": {"taskOutputArtifact": {"producerTask": "b", "outputArtifactKey": "m"}}
        },
        "parameters": {
            "of_the_run": {"componentInputParameter": "data_path"},
            "of_a_task": {"taskOutputParameter": {"producerTask": "b", "outputParameterKey": "n"}},
            "fixed": {"runtimeValue": {"constant": [1, 2]}},
        },
    },
    after=("b",),
    condition="",
    cached=True,
)
_BEFORE = {
    "b": Outcome(
        "finished", {"m": [{"name": "x", "uri": "/m", "type": {"schemaTitle": "M"}}]}, {"n": 7}
    ),
    "c": Outcome("finished", {"secret": [{"name": "y", "uri": "/y"}]}),
}


def test_inputs_are_what_is_declared_with_its_value():
    parameters = {"data_path": "/d", "unused": "/u"}
    inputs = resolve_inputs(_TASK, _BEFORE, parameters, with_types=True)
    assert inputs["parameterValues"] == {
        "of_the_run": "/d",
        "of_a_task": 7,
        "fixed": [1, 2],
        "by_default": "d",
    }
    assert inputs["artifacts"] == {"model": {"artifacts": _BEFORE["b"].artifacts["m"]}}


def test_types_can_be_left_out():
    inputs = resolve_inputs(_TASK, _BEFORE, {"data_path": "/d"}, with_types=False)
    (artifact,) = inputs["artifacts"]["model"]["artifacts"]
    assert artifact == {"name": "x", "uri": "/m", "type": {"instanceSchema": ""}}
    assert _BEFORE["b"].artifacts["m"][0]["type"] == {"schemaTitle": "M"}


def test_outputs_are_planned_below_the_folders_of_the_attempt():
    planned = plan_outputs(_TASK, "run/a/1", "/root/a/1", "/tasks/a/1")
    (artifact,) = planned["artifacts"]["made"]["artifacts"]
    assert artifact == {
        "name": "run/a/1/made",
        "uri": "/root/a/1/made",
        "type": {"schemaTitle": "T"},
        "metadata": {"k": 1},
    }
    assert planned["parameters"] == {"count": {"outputFile": "/tasks/a/1/parameters/count"}}
    assert planned["outputFile"] == "/tasks/a/1/executor_output.json"

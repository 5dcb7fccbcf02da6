"""Placeholders in commands: what is put in, and what nothing is put in for."""

from pipeline.kfp import placeholders
from pipeline.kfp.local import executor_input

_PLANNED = {
    "inputs": {
        "artifacts": {"model": {"artifacts": [{"uri": "/m"}]}, "none": {"artifacts": []}},
        "parameterValues": {"name": "a b", "count": 3, "on": True, "odd": "{{$.pipeline_root}}"},
    },
    "outputs": {
        "artifacts": {"made": {"artifacts": [{"uri": "/out/made"}]}},
        "parameters": {"length": {"outputFile": "/out/length"}},
    },
}


def _filled(word: str) -> str:
    values = executor_input.placeholder_values(_PLANNED, {"pipeline_root": "/root"})
    return placeholders.fill(word, values)


def test_values_are_put_in():
    assert _filled("{{$.inputs.parameters['name']}}") == "a b"
    assert _filled("--n={{$.inputs.parameters['count']}}") == "--n=3"
    assert _filled("{{$.inputs.parameters['on']}}") == "true"
    assert _filled("{{$.inputs.artifacts['model'].uri}}/x") == "/m/x"
    assert _filled("{{$.outputs.artifacts['made'].path}}") == "/out/made"
    assert _filled("{{$.outputs.parameters['length'].output_file}}") == "/out/length"
    assert _filled("{{$.pipeline_root}}:{{$.pipeline_root}}") == "/root:/root"


def test_a_value_that_looks_like_a_placeholder_stays():
    assert _filled("{{$.inputs.parameters['odd']}}") == "{{$.pipeline_root}}"


def test_the_whole_invocation_is_json():
    assert executor_input.json.loads(_filled("{{$}}")) == _PLANNED


def test_every_known_placeholder_of_declared_names_is_no_problem():
    declared = {
        ("input", "artifact"): ["model"],
        ("input", "parameter"): ["name"],
        ("output", "artifact"): ["made"],
        ("output", "parameter"): ["length"],
    }
    words = [
        "{{$}}",
        "{{$.inputs.parameters['name']}}",
        "{{$.inputs.artifacts['model'].uri}} {{$.outputs.artifacts['made'].path}}",
        "{{$.outputs.parameters['length'].output_file}}",
        "{{$.pipeline_job_name}}",
    ]
    assert placeholders.problems(words, declared) == []
    (problem,) = placeholders.problems(["{{$.outputs.artifacts['made'].value}}"], declared)
    assert "is no placeholder that is known here" in problem
    (problem,) = placeholders.problems(2 * ["{{$.inputs.artifacts['x'].uri}}"], declared)
    assert "expected one of model" in problem

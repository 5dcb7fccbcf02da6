"""Conditions in the part of CEL that compilers write."""

import pytest

from pipeline.kfp.conditions import ConditionError, holds, input_artifacts

_INPUTS = {
    "artifacts": {
        "blessing": {"artifacts": [{"uri": "gs://b/x", "metadata": {"blessed": 1.0, "by": "me"}}]}
    },
    "parameterValues": {"n": 3, "name": "a && b", "on": True},
}
_BLESSED = "inputs.artifacts['blessing'].artifacts[0].metadata['blessed'] == 1.0"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (_BLESSED, True),
        (f"({_BLESSED}) && inputs.parameter_values['n'] > 2.0", True),
        (f"!({_BLESSED})", False),
        (f"!({_BLESSED}) || inputs.parameters['on'] == true", True),
        ("inputs.parameter_values['name'] == 'a && b'", True),
        ("inputs.parameter_values['name'] != \"a && b\"", False),
        ("int(inputs.parameter_values['n']) <= -1", False),
        ("size(inputs.artifacts['blessing'].artifacts) >= 1", True),
        ("'to ' + inputs.artifacts['blessing'].artifacts[0].metadata['by'] == 'to me'", True),
        ("true && false", False),
    ],
)
def test_conditions_are_evaluated(condition, expected):
    assert holds(condition, _INPUTS) is expected


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("inputs.artifacts['model'].artifacts[0].uri == 'x'", "KeyError"),
        ("inputs.artifacts['blessing'].artifacts[1].uri == 'x'", "IndexError"),
        ("inputs.parameter_values['n'] == 'three'", "of different types"),
        ("inputs.parameter_values['on'] == 1.0", "of different types"),
        ("inputs.parameter_values['n']", "neither true nor false"),
        ("a == 1", "names 'a'"),
        ("inputs ==", "cannot be read"),
        ("[x for x in inputs]", "not known here"),
        ("__import__('os')", "names '__import__'"),
        ("inputs.f(1)", "no function that is known here"),
        ("1 < 2 < 3", "not known here"),
    ],
)
def test_what_cannot_be_evaluated_says_why(condition, sentence):
    with pytest.raises(ConditionError, match=sentence):
        holds(condition, _INPUTS)


def test_the_inputs_that_a_condition_looks_at():
    condition = f"{_BLESSED} && inputs.artifacts['infra'].artifacts[0].metadata['ok'] == 1.0"
    assert input_artifacts(condition) == {"blessing", "infra"}

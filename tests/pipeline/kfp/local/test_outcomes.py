"""What a task's process says of its outputs, joined with what was planned."""

from pipeline.kfp.local.outcomes import Outcome, merge

_PLANNED = {
    "artifacts": {
        "made": {
            "artifacts": [
                {"name": "n", "uri": "/planned", "type": {"schemaTitle": "T"}, "metadata": {"a": 1}}
            ]
        }
    },
    "parameters": {"count": {"outputFile": "/x"}},
}


def test_nothing_said_is_what_was_planned():
    left = merge(_PLANNED, {}, {})
    assert left == Outcome("finished", {"made": _PLANNED["artifacts"]["made"]["artifacts"]}, {})


def test_metadata_are_added_and_another_address_is_taken():
    said = {"artifacts": {"made": {"artifacts": [{"uri": "/moved", "metadata": {"b": 2.0}}]}}}
    (artifact,) = merge(_PLANNED, said, {}).artifacts["made"]
    assert artifact["uri"] == "/moved" and artifact["metadata"] == {"a": 1, "b": 2.0}
    assert artifact["name"] == "n" and artifact["type"] == {"schemaTitle": "T"}
    unnamed = {"artifacts": {"made": {"artifacts": [{"metadata": {}}]}, "more": {}}}
    assert merge(_PLANNED, unnamed, {}) == merge(_PLANNED, {}, {})


def test_parameters_come_from_files_and_what_the_output_says_comes_first():
    files = {"count": "3", "text": "three", "list": "[1]"}
    expected = {"count": 3, "text": "three", "list": [1]}
    assert merge(_PLANNED, {}, files).parameters == expected
    assert merge(_PLANNED, {"parameterValues": {"count": 4}}, files).parameters["count"] == 4


def test_an_outcome_comes_back_from_its_plain_tree():
    left = merge(_PLANNED, {}, {"count": "3"})
    tree = {"state": left.state, "artifacts": left.artifacts, "parameters": left.parameters}
    assert Outcome.from_tree(tree) == left

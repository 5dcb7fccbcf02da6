"""Parameters of a run."""

import pytest

from pipeline.kfp.parameters import check_folders, check_parameters, parse, with_absolute_folders
from trainer.core.errors import UserError

_SPEC = {
    "root": {
        "inputDefinitions": {
            "parameters": {
                "data_path": {"parameterType": "STRING", "description": "Folder of the data."},
                "steps": {"parameterType": "NUMBER_INTEGER", "defaultValue": 7},
                "rate": {"parameterType": "NUMBER_DOUBLE", "isOptional": True},
                "on": {"parameterType": "BOOLEAN", "defaultValue": True},
                "names": {"parameterType": "LIST", "defaultValue": []},
                "options": {"parameterType": "STRUCT", "defaultValue": {}},
            }
        }
    }
}


def test_texts_become_values_of_the_declared_types():
    texts = ["data_path=7", "steps=8", "rate=1e-3", "on=false", 'names=["a"]', 'options={"a": 1}']
    values = parse(_SPEC, texts)
    expected = {"data_path": "7", "steps": 8, "rate": 0.001, "on": False}
    assert values == {**expected, "names": ["a"], "options": {"a": 1}}
    assert check_parameters(_SPEC, values) == values
    assert parse(_SPEC, ["data_path=a=b", "data_path="]) == {"data_path": ""}


def test_what_is_left_out_takes_its_default():
    complete = check_parameters(_SPEC, {"data_path": "/d"})
    assert complete["steps"] == 7 and complete["on"] is True and "rate" not in complete


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, r"data_path: not given; expected --param data_path=VALUE \(Folder of the data\.\)"),
        ({"data_paht": "/d"}, "data_paht: unknown; did you mean data_path"),
        ({"weather": "/d"}, "weather: unknown; expected one of data_path, names"),
        ({"data_path": 7}, "data_path: found 7, expected a text"),
        ({"data_path": "/d", "steps": True}, "steps: found True, expected an integer"),
        ({"data_path": "/d", "steps": 1.5}, "steps: found 1.5, expected an integer"),
        ({"data_path": "/d", "on": 1}, "on: found 1, expected true or false"),
    ],
)
def test_what_a_run_would_not_take_is_refused(values, sentence):
    with pytest.raises(UserError, match=sentence):
        check_parameters(_SPEC, values)


@pytest.mark.parametrize("text", ["data_path", "=x", "steps=many"])
def test_texts_that_are_no_values_are_refused(text):
    with pytest.raises(UserError, match="expected"):
        parse(_SPEC, [text])


def test_folders_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"data_path": "photos", "push_destination": "gs://b/x", "tasks_path": "", "name": "a"}
    assert with_absolute_folders(given) == {**given, "data_path": str(tmp_path / "photos")}


def test_folders_that_a_run_could_not_use_are_refused_before_it(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "file").touch()
    good = {"data_path": str(tmp_path / "data"), "tasks_path": "", "name": "nowhere"}
    check_folders({**good, "push_destination": str(tmp_path / "new" / "serving")})
    check_folders({"data_path": "gs://bucket/data", "push_destination": "gs://bucket/out"})
    for key, path in (
        ("data_path", tmp_path / "nowhere"),
        ("tasks_path", tmp_path / "file"),
        ("push_destination", tmp_path / "file" / "serving"),
    ):
        with pytest.raises(UserError, match=f"^parameter {key}: "):
            check_folders({**good, key: str(path)})

"""Reading, layering and overriding configuration files."""

from pathlib import Path

import pytest

from pipeline.config import files, layers
from trainer.core.errors import UserError
from trainer.core.settings import Settings


class Stage(Settings):
    points: int = 8
    rate: float = 0.1


class Training(Settings):
    stages: tuple[Stage, ...] = (Stage(), Stage())
    budget: int | None = None


class Tree(Settings):
    training: Training = Training()
    name: str = "x"


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def tree() -> dict:
    return Tree().model_dump(mode="json")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("010", 10),
        ("-2.5", -2.5),
        ("1e-3", 1e-3),
        ("2.E+4", 2e4),
        ("true", True),
        ("off", "off"),
        ("no", "no"),
        ("null", None),
        ("", None),
        ("[1, 2.0, x]", [1, 2.0, "x"]),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("gs://bucket/a=b", "gs://bucket/a=b"),
        ("'3'", "3"),
    ],
)
def test_a_set_value_is_read_as_yaml_means_it_to_people(text, value):
    override = files.parse_override(f"a.b={text}")
    assert override.value == value
    assert type(override.value) is type(value)
    assert override.path == ("a", "b")


@pytest.mark.parametrize("text", ["a.b", "=1", "a..b=1", ".=1"])
def test_a_set_option_without_key_or_value_is_refused(text):
    with pytest.raises(UserError, match=r"--set .*expected key\.path=value"):
        files.parse_override(text)
    with pytest.raises(UserError, match=r"--set 'a=\[1': the value is not YAML"):
        files.parse_override("a=[1")


def test_an_override_reaches_into_lists_and_empty_blocks():
    content = tree()
    for text in ("training.stages.1.points=32", "name=y", "training.budget=5"):
        files.apply_override(content, files.parse_override(text), Tree)
    assert content["training"]["stages"] == [
        {"points": 8, "rate": 0.1},
        {"points": 32, "rate": 0.1},
    ]
    assert content["name"] == "y"
    assert content["training"]["budget"] == 5


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "training.stages.2.points=1",
            r"--set training\.stages\.2\.points: training\.stages is a list of 2; "
            r"found '2', expected a place from 0 to 1",
        ),
        ("training.stages.first.points=1", r"found 'first', expected a place from 0 to 1"),
        (
            "trainin.stages=1",
            r"--set trainin\.stages: trainin: unknown key; did you mean 'training'\?",
        ),
        ("name.first=1", r"--set name\.first: name is the value 'x' and has no keys"),
    ],
)
def test_an_override_that_leads_nowhere_is_refused(text, sentence):
    with pytest.raises(UserError, match=sentence):
        files.apply_override(tree(), files.parse_override(text), Tree)


def test_a_file_builds_on_another_one_key_by_key(tmp_path):
    write(tmp_path, "low.yaml", "a: {x: 1, y: [1, 2]}\nb: 1\n")
    high = write(tmp_path, "high.yaml", "base: low.yaml\na: {y: [3]}\nc: 1e-3\n")
    read = files.read_layers(high)
    assert [Path(layer.origin).name for layer in read] == ["low.yaml", "high.yaml"]
    assert layers.merge(read) == {"a": {"x": 1, "y": [3]}, "b": 1, "c": 0.001}
    high = write(tmp_path, "high.yaml", "base: low.yaml\na: null\n")  # a whole block
    assert layers.merge(files.read_layers(high)) == {"a": None, "b": 1}
    assert layers.merge(files.read_layers(write(tmp_path, "empty.yaml", "# a\n"))) == {}


def test_a_file_that_builds_on_itself_is_refused(tmp_path):
    write(tmp_path, "one.yaml", "base: two.yaml\n")
    two = write(tmp_path, "two.yaml", "base: one.yaml\n")
    with pytest.raises(UserError, match=r"two\.yaml: base: the file builds on itself"):
        files.read_layers(two)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1\n", r"c\.yaml: not valid YAML \(line 2: "),
        ("a: 1\nb: 2\na: 3\n", r"c\.yaml: not valid YAML \(line 3: found duplicate key \"a\""),
        ("- a\n", r"c\.yaml: found a list at the top, expected blocks of key: value"),
        ("base: 3\n", r"c\.yaml: base: found 3, expected the name of a packaged configuration"),
        ("base: dmo\n", r"c\.yaml: base: configuration 'dmo': did you mean 'demo'\?"),
        ("\tx: 1\n", r"not valid YAML \(line 1"),
        (b"\xff\xfe\x00", r"c\.yaml: not valid YAML"),
        ("a: &x [*x]\n", r"not valid YAML \(line 1: the alias x stands within what it repeats"),
        ("a: " + "[" * 3000 + "]" * 3000, r"not valid YAML \(is nested more than 100 deep"),
        ("a: " + "1" * 5000, r"c\.yaml: not valid YAML \(a value cannot be made"),
        ("a: !!bool x\n", r"c\.yaml: not valid YAML \(a value cannot be made"),
        ("a: !!timestamp x\n", r"c\.yaml: not valid YAML \("),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_line_and_reason(tmp_path, text, sentence):
    (tmp_path / "c.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=sentence):
        files.read_layers(str(tmp_path / "c.yaml"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nothing.yaml", r"configuration 'nothing\.yaml': There is no such file"),
        ("dem", r"did you mean 'demo'\?"),
    ],
)
def test_an_unknown_name_is_told(name, sentence):
    with pytest.raises(UserError, match=sentence):
        files.read_layers(name)

"""Texts that stand for more than they show."""

import pytest
import yaml

from trainer.core import documents

_BOMB = "a0: &a0 [0]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


def test_a_text_that_aliases_blow_up_is_refused_before_it_is_read():
    with pytest.raises(yaml.YAMLError, match=r"line \d+: stands for more than 1,000,000 values"):
        documents.check(_BOMB)


def test_an_alias_within_what_it_repeats_is_refused():
    with pytest.raises(yaml.YAMLError, match="the alias x stands within what it repeats"):
        documents.check("a: &x {b: *x}")


@pytest.mark.parametrize("depth", [101, 3000])
def test_deep_nesting_is_refused(depth):
    with pytest.raises(yaml.YAMLError, match="is nested more than 100 deep"):
        documents.check("[" * depth + "]" * depth)


def test_what_people_write_passes():
    documents.check("[" * 100 + "]" * 100)
    documents.check("base: &x {a: 1}\nother: {<<: *x, b: [*x, *x]}\n---\nc: 2\n")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, b"\xff", "", "{", "[1, 2"]
)
def test_json_that_cannot_be_read_is_a_value_error(text):
    with pytest.raises(ValueError):
        documents.read_json(text)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "!!bool x", "!!timestamp x", "\udced"]
)
def test_yaml_that_cannot_be_read_is_a_yaml_error(text):
    with pytest.raises(yaml.YAMLError):
        documents.read_yaml(text)


def test_documents_are_read_one_after_the_other():
    assert documents.read_yaml("a: 1\n---\n[2]\n") == [{"a": 1}, [2]]
    assert documents.read_yaml("") == []
    assert documents.read_json('{"a": Infinity}') == {"a": float("inf")}

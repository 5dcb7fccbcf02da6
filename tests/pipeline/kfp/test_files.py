"""Compiled pipelines as files."""

import json

import pytest
import yaml

from pipeline.kfp import files
from tests.support.small_spec import small_spec
from trainer.core.errors import UserError


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "a.yml"])
def test_what_is_written_is_read(tmp_path, name):
    path = str(tmp_path / name)
    files.write(small_spec(), path)
    assert files.read(path) == small_spec()


def test_the_order_of_keys_makes_no_difference(tmp_path):
    spec = small_spec()
    turned = dict(reversed(spec.items()))
    for name in ("a.json", "a.yaml"):
        assert files.to_text(spec, name) == files.to_text(turned, name)


def test_texts_of_several_lines_can_be_read_and_numbers_stay_texts(tmp_path):
    text = files.to_text({"a": "one\ntwo\n", "b": "12e4", "c": "1.5", "d": "0x1f"}, "a.yaml")
    assert "a: |\n  one\n  two\n" in text
    assert "b: '12e4'" in text  # YAML 1.2 takes it for a number, PyYAML does not
    assert yaml.safe_load(text) == {"a": "one\ntwo\n", "b": "12e4", "c": "1.5", "d": "0x1f"}


def test_the_spec_in_a_job_and_the_first_of_several_documents_are_read(tmp_path):
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"pipelineSpec": {"a": 1}, "runtimeConfig": {}}))
    assert files.read(str(job)) == {"a": 1}
    two = tmp_path / "two.yaml"
    two.write_text("a: 1\n---\nplatforms: {}\n")
    assert files.read(str(two)) == {"a": 1}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: [", "neither YAML nor JSON"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"- a\n", r"a\.yaml: found no mapping, expected a compiled pipeline$"),
        (b"", "found no mapping"),
        (b"pipelineSpec: 7\n", "pipelineSpec is no mapping"),
    ],
)
def test_what_is_no_spec_is_refused(tmp_path, content, sentence):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        files.read(str(path))


def test_files_that_are_not_there_or_cannot_be_written_are_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read"):
        files.read(str(tmp_path / "none.yaml"))
    with pytest.raises(UserError, match="cannot be written"):
        files.write({}, "/proc/none/a.yaml")


def test_names_must_say_the_format():
    files.check_name("--output", "a.json")
    files.check_name("--output", "a.yml", json_too=False)
    with pytest.raises(UserError, match=r"found 'a\.txt', expected a name in \.yaml"):
        files.check_name("--output", "a.txt")
    with pytest.raises(UserError, match="which alone kfp's client loads"):
        files.check_name("--output", "a.json", json_too=False)

from pathlib import Path

import pytest
from google.protobuf import text_format
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from components.schema import executor
from components.schema.component import ImportSchemaGen, packaged_schema
from tests.support.artifacts import artifact


def _run(folder: Path, text: str) -> Path:
    schema = artifact(standard_artifacts.Schema, folder / "out")
    executor.Executor().Do({}, {executor.SCHEMA_KEY: [schema]}, {executor.SCHEMA_TEXT_KEY: text})
    return folder / "out" / "schema.pbtxt"


def test_the_packaged_schema_is_left_as_tfx_reads_it(tmp_path: Path):
    written = _run(tmp_path, packaged_schema())
    assert "patches" in {
        feature.name for feature in io_utils.SchemaReader().read(str(written)).feature
    }
    assert written.read_text() == packaged_schema()


def test_what_is_no_schema_is_refused(tmp_path: Path):
    with pytest.raises(text_format.ParseError):
        _run(tmp_path, "feature { nonsense: 1 }")


def test_the_cache_key_is_what_the_schema_says():
    assert ImportSchemaGen(schema_text="feature {}").exec_properties == {
        "schema_text": "feature {}"
    }

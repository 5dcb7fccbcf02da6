"""Writes the schema where TFX's components look for it."""

from __future__ import annotations

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.core import executor

SCHEMA_KEY = "schema"
SCHEMA_TEXT_KEY = "schema_text"
FILE_NAME = "schema.pbtxt"


class Executor(executor.Executor):
    """Writes `schema.pbtxt`."""

    def execute(self, execution: executor.Execution) -> None:
        """Writes the schema's text, comments and all.

        Args:
            execution: Output `schema`, one Schema artifact; property `schema_text`.

        Raises:
            google.protobuf.text_format.ParseError: When the text is no schema.
        """
        text = execution.properties[SCHEMA_TEXT_KEY]
        text_format.Parse(text, schema_pb2.Schema())
        execution.write_text(SCHEMA_KEY, FILE_NAME, text)

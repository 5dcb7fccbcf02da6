"""Writes the schema where TFX's components look for it."""

from __future__ import annotations

import posixpath
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

SCHEMA_KEY = "schema"
SCHEMA_TEXT_KEY = "schema_text"
FILE_NAME = "schema.pbtxt"


class Executor(base_executor.BaseExecutor):
    """Writes `schema.pbtxt`."""

    def Do(  # noqa: N802 - TFX names it
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the schema's text, comments and all.

        Args:
            input_dict: Empty.
            output_dict: `schema`, one Schema artifact.
            exec_properties: `schema_text`.

        Raises:
            google.protobuf.text_format.ParseError: When the text is no schema.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        text = exec_properties[SCHEMA_TEXT_KEY]
        text_format.Parse(text, schema_pb2.Schema())
        folder = artifact_utils.get_single_uri(output_dict[SCHEMA_KEY])
        tf.io.gfile.makedirs(folder)
        with tf.io.gfile.GFile(posixpath.join(folder, FILE_NAME), "w") as file:
            file.write(text)

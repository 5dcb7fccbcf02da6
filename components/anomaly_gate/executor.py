"""Reads ExampleValidator's anomalies, writes them down in words, and stops the run."""

from __future__ import annotations

import json
import posixpath
from typing import Any

import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from trainer.core.errors import UserError

ANOMALIES_KEY = "anomalies"
REPORT_KEY = "report"
REPORT_FOLDER_KEY = "report_folder"
CODE_FINGERPRINT_KEY = "code_fingerprint"
REPORT_FILE = "anomalies.json"


class Executor(base_executor.BaseExecutor):
    """Writes `anomalies.json` and raises when it holds anything."""

    def Do(  # noqa: N802 - TFX names it
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Checks one ExampleAnomalies artifact.

        Raises:
            UserError: When any split has an anomaly; names split, feature and reason.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(input_dict[ANOMALIES_KEY])
        found = []
        for split in artifact_utils.decode_split_names(artifact.split_names):
            path = posixpath.join(
                artifact_utils.get_split_uri([artifact], split), DEFAULT_FILE_NAME
            )
            with tf.io.gfile.GFile(path, "rb") as file:
                found += in_words(split, anomalies_pb2.Anomalies.FromString(file.read()))
        text = json.dumps({"anomalies": found}, indent=1)
        report_folder = exec_properties.get(REPORT_FOLDER_KEY)
        folders = [artifact_utils.get_single_uri(output_dict[REPORT_KEY])]
        folders += [report_folder] if report_folder else []
        for folder in folders:
            tf.io.gfile.makedirs(folder)
            with tf.io.gfile.GFile(posixpath.join(folder, REPORT_FILE), "w") as file:
                file.write(text)
        if found:
            sentences = "; ".join(
                f"{item['split']}: {item['feature']}: {item['reason']}" for item in found
            )
            raise UserError(
                f"the data does not match the schema, so nothing was trained on it ({sentences}); "
                f"the report is {posixpath.join(folders[-1], REPORT_FILE)}. Leave the images "
                "out, or change components/schema/schema.pbtxt if they are as they should be."
            )


def in_words(split: str, anomalies: anomalies_pb2.Anomalies) -> list[dict[str, str]]:
    """Returns one entry (split, feature, reason) per anomaly, sorted by feature.

    Args:
        split: Name of the split the statistics came from.
        anomalies: What TFDV found there.
    """
    found = [
        {
            "split": split,
            "feature": feature,
            "reason": " ".join(info.description.split()),
        }
        for feature, info in sorted(anomalies.anomaly_info.items())
    ]
    for reason in anomalies.dataset_anomaly_info.reason:
        found.append({"split": split, "feature": "(data set)", "reason": reason.description})
    if anomalies.data_missing:
        found.append({"split": split, "feature": "(data set)", "reason": "the split is empty"})
    return found

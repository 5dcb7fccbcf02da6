"""Reads ExampleValidator's anomalies, writes them down in words, and stops the run."""

from __future__ import annotations

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.types import artifact_utils

from components.core import executor, files
from trainer.core.errors import UserError

ANOMALIES_KEY = "anomalies"
REPORT_KEY = "report"
REPORT_FOLDER_KEY = "report_folder"
REPORT_FILE = "anomalies.json"


class Executor(executor.Executor):
    """Writes `anomalies.json` and raises when it holds anything."""

    def execute(self, execution: executor.Execution) -> None:
        """Checks one ExampleAnomalies artifact.

        Raises:
            UserError: When any split has an anomaly; names split, feature and reason.
        """
        artifact = execution.input(ANOMALIES_KEY)
        problems = []
        for split in artifact_utils.decode_split_names(artifact.split_names):
            folder = artifact_utils.get_split_uri([artifact], split)
            content = files.read_bytes(files.join(folder, DEFAULT_FILE_NAME))
            problems += describe(split, anomalies_pb2.Anomalies.FromString(content))
        report_folder = execution.properties.get(REPORT_FOLDER_KEY)
        folders = [execution.output(REPORT_KEY).uri, *([report_folder] if report_folder else [])]
        for folder in folders:
            files.write_json(files.join(folder, REPORT_FILE), {"anomalies": problems})
        if problems:
            sentences = "; ".join(
                f"{item['split']}: {item['feature']}: {item['reason']}" for item in problems
            )
            raise UserError(
                f"the data does not match the schema, so nothing was trained on it ({sentences}); "
                f"the report is {files.join(folders[-1], REPORT_FILE)}. Leave the images "
                "out, or change components/schema/schema.pbtxt if they are as they should be."
            )


def describe(split: str, anomalies: anomalies_pb2.Anomalies) -> list[dict[str, str]]:
    """Returns one entry (split, feature, reason) per anomaly, sorted by feature."""
    problems = [
        {
            "split": split,
            "feature": feature,
            "reason": " ".join(info.description.split()),
        }
        for feature, info in sorted(anomalies.anomaly_info.items())
    ]
    for reason in anomalies.dataset_anomaly_info.reason:
        problems.append({"split": split, "feature": "(data set)", "reason": reason.description})
    if anomalies.data_missing:
        problems.append({"split": split, "feature": "(data set)", "reason": "the split is empty"})
    return problems

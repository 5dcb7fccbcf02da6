import json
from pathlib import Path

import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.experimental import simple_artifacts

from components.anomaly_gate import executor
from tests.support.artifacts import artifact
from trainer.core.errors import UserError

SCHEMA = Path(__file__).parents[3] / "components" / "schema" / "schema.pbtxt"


def _statistics(minimum: float, maximum: float) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of a split whose only feature is `contrast`."""
    return text_format.Parse(
        f"""
        datasets {{
          num_examples: 4
          features {{
            path {{ step: "contrast" }}
            type: FLOAT
            num_stats {{
              common_stats {{
                num_non_missing: 4 min_num_values: 1 max_num_values: 1 tot_num_values: 4
              }}
              min: {minimum} max: {maximum}
            }}
          }}
        }}""",
        statistics_pb2.DatasetFeatureStatisticsList(),
    )


def _schema() -> schema_pb2.Schema:
    whole = text_format.Parse(SCHEMA.read_text(), schema_pb2.Schema())
    contrast = [feature for feature in whole.feature if feature.name == "contrast"]
    return schema_pb2.Schema(feature=contrast)


def _run(tmp_path: Path, anomalies: anomalies_pb2.Anomalies) -> Path:
    given = artifact(standard_artifacts.ExampleAnomalies, tmp_path / "in")
    given.split_names = artifact_utils.encode_split_names(["train"])
    folder = tmp_path / "in" / "Split-train"
    folder.mkdir(parents=True)
    (folder / "SchemaDiff.pb").write_bytes(anomalies.SerializeToString())
    report = artifact(simple_artifacts.File, tmp_path / "out")
    executor.Executor().Do(
        {executor.ANOMALIES_KEY: [given]},
        {executor.REPORT_KEY: [report]},
        {executor.REPORT_FOLDER_KEY: str(tmp_path / "reports")},
    )
    return tmp_path / "out" / executor.REPORT_FILE


def test_data_that_matches_the_schema_passes(tmp_path: Path):
    anomalies = tfdv.validate_statistics(_statistics(3.0, 90.0), _schema())
    assert json.loads(_run(tmp_path, anomalies).read_text()) == {"anomalies": []}


def test_a_blank_patch_stops_the_run_and_is_told_in_words(tmp_path: Path):
    anomalies = tfdv.validate_statistics(_statistics(0.0, 90.0), _schema())
    with pytest.raises(UserError) as told:
        _run(tmp_path, anomalies)
    assert "train: contrast: " in str(told.value)
    assert "0.25" in str(told.value)
    assert str(tmp_path / "reports" / executor.REPORT_FILE) in str(told.value)
    kept = json.loads((tmp_path / "reports" / executor.REPORT_FILE).read_text())
    assert [item["feature"] for item in kept["anomalies"]] == ["contrast"]


def test_an_empty_split_is_an_anomaly():
    assert executor.describe("val", anomalies_pb2.Anomalies(data_missing=True)) == [
        {"split": "val", "feature": "(data set)", "reason": "the split is empty"}
    ]

"""Unit rows through TFMA: sliced means and threshold validation.

This is TFMA's model-agnostic path: the "predictions" are metrics that are already there.
`ExtractEvaluateAndWriteResults` refuses change thresholds without a model, so its three
steps are composed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from components.descriptor_evaluator.thresholds import (
    CANDIDATE,
    FEATURES,
    LABEL,
    PRODUCTION,
    over,
)
from components.descriptor_evaluator.unit_table import UnitTable

if TYPE_CHECKING:
    import pyarrow
    from tensorflow_model_analysis.proto import config_pb2, validation_result_pb2

ROWS_PER_BATCH = 4096


def record_batches(
    candidate: UnitTable,
    baselines: Mapping[str, UnitTable],
    production: UnitTable | None,
    metrics: Mapping[str, Sequence[str]],
) -> list[pyarrow.RecordBatch]:
    """Lays unit rows out as TFMA's input.

    Args:
        candidate: Rows of the candidate.
        baselines: Rows of the handmade descriptors, by name.
        production: Rows of the production model, or None.
        metrics: Metrics to take along, by task; one example per row and metric.

    Raises:
        ValueError: When the models were not scored on the same units.
    """
    import pyarrow  # as for the other heavy imports: this module is imported early

    others = {**baselines, **({PRODUCTION: production} if production else {})}
    for name, table in others.items():
        if not table.covers_the_same_units_as(candidate):
            raise ValueError(f"{name} was not scored on the same units as the candidate")
    features: dict[str, list[str]] = {name: [] for name in FEATURES}
    numbers: dict[str, list[float]] = {name: [] for name in (CANDIDATE, *others)}
    for place, row in enumerate(candidate.rows):
        for metric in metrics.get(row.task, ()):
            for name in FEATURES:
                features[name].append(metric if name == "metric" else str(getattr(row, name)))
            numbers[CANDIDATE].append(row.metrics.get(metric, np.nan))
            for name, table in others.items():
                numbers[name].append(table.rows[place].metrics.get(metric, np.nan))
    columns = {name: np.asarray(values, np.float64) for name, values in numbers.items()}
    for name in baselines:
        columns[over(name)] = columns[CANDIDATE] - columns.pop(name)
    columns[LABEL] = np.zeros(len(columns[CANDIDATE]))
    arrays = {name: [value.encode() for value in values] for name, values in features.items()}
    table = pyarrow.table({name: _lists(values) for name, values in {**arrays, **columns}.items()})
    return table.to_batches(max_chunksize=ROWS_PER_BATCH)


def run_tfma(
    batches: Sequence[pyarrow.RecordBatch],
    config: config_pb2.EvalConfig,
    output: str,
    make_pipeline: Callable[[], Any],
) -> validation_result_pb2.ValidationResult:
    """Slices and validates, writes TFMA's results and returns its validation.

    Args:
        batches: From `record_batches`.
        config: From `thresholds.eval_config`.
        output: Folder for TFMA's files; `tfma.load_eval_result` reads them.
        make_pipeline: Returns a Beam pipeline that runs when its context closes.
    """
    import apache_beam as beam
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.evaluators import metrics_plots_and_validations_evaluator
    from tensorflow_model_analysis.extractors import (
        example_weights_extractor,
        features_extractor,
        labels_extractor,
        materialized_predictions_extractor,
        slice_key_extractor,
        unbatch_extractor,
    )

    extractors = [
        features_extractor.FeaturesExtractor(config),
        labels_extractor.LabelsExtractor(config),
        example_weights_extractor.ExampleWeightsExtractor(config),
        materialized_predictions_extractor.MaterializedPredictionsExtractor(config),
        unbatch_extractor.UnbatchExtractor(),
        slice_key_extractor.SliceKeyExtractor(eval_config=config),
    ]
    evaluators = [
        metrics_plots_and_validations_evaluator.MetricsPlotsAndValidationsEvaluator(config)
    ]
    with make_pipeline() as pipeline:
        _ = (
            pipeline
            | "UnitRows" >> beam.Create(list(batches))
            | "ToExtracts" >> tfma.BatchedInputsToExtracts()
            | "Slice" >> tfma.ExtractAndEvaluate(extractors=extractors, evaluators=evaluators)
            | "Write" >> tfma.WriteResults(writers=tfma.default_writers(output, eval_config=config))
        )
    return tfma.load_validation_result(output)


def _lists(values: Any):
    """Wraps each value in a list of its own, the shape TFMA's features have."""
    import pyarrow

    flat = pyarrow.array(values)
    return pyarrow.ListArray.from_arrays(np.arange(len(flat) + 1, dtype=np.int32), flat)

"""Unit scores through TFMA: sliced means and threshold validation.

This is TFMA's model-agnostic path: the "predictions" are metrics that are already there.
`ExtractEvaluateAndWriteResults` refuses change thresholds without a model, so its three
steps are composed here.

No slice is finer than a sequence at a noise level, so the units of such a cell are handed
over as their mean, weighted by their number: every sliced mean stays what it is, and TFMA's
cost no longer grows with the number of retrieval queries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from components.descriptor_evaluator.gate.thresholds import (
    CANDIDATE,
    FEATURES,
    LABEL,
    PRODUCTION,
    WEIGHT,
    over,
)
from components.descriptor_evaluator.statistics.score_table import ScoreTable

if TYPE_CHECKING:
    import pyarrow
    from tensorflow_model_analysis.proto import config_pb2, validation_result_pb2


def record_batch(
    candidate: ScoreTable,
    baselines: Mapping[str, ScoreTable],
    production: ScoreTable | None,
    metrics: Mapping[str, Sequence[str]],
) -> pyarrow.RecordBatch:
    """Lays unit scores out as TFMA's input, one example per cell and metric.

    Args:
        candidate: Rows of the candidate.
        baselines: Rows of the handcrafted descriptors, by name.
        production: Rows of the production model, or None.
        metrics: Metrics to take along, by task.

    Raises:
        ValueError: When the models were not scored on the same units.
    """
    import pyarrow  # as for the other heavy imports: this module is imported early

    others = {**baselines, **({PRODUCTION: production} if production else {})}
    for name, table in others.items():
        if not table.covers_the_same_units_as(candidate):
            raise ValueError(f"{name} was not scored on the same units as the candidate")
    cells: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(candidate.rows):
        cells.setdefault((row.task, row.noise, row.kind, row.sequence), []).append(place)
    examples: list[dict[str, Any]] = []
    for (task, noise, kind, sequence), places in cells.items():
        for metric in metrics.get(task, ()):
            values = (task, metric, noise, kind, sequence)
            example: dict[str, Any] = dict(zip(FEATURES, map(str.encode, values), strict=True))
            ours = _mean(candidate, places, metric)
            example |= {CANDIDATE: ours, LABEL: 0.0, WEIGHT: float(len(places))}
            for name, table in others.items():
                theirs = _mean(table, places, metric)
                if name == PRODUCTION:
                    example[PRODUCTION] = theirs
                else:
                    example[over(name)] = ours - theirs
            examples.append(example)
    names = list(examples[0]) if examples else []
    arrays = [_lists([example[name] for example in examples]) for name in names]
    return pyarrow.RecordBatch.from_arrays(arrays, names)


def run_tfma(
    batch: pyarrow.RecordBatch,
    config: config_pb2.EvalConfig,
    output: str,
    make_pipeline: Callable[[], Any],
) -> validation_result_pb2.ValidationResult:
    """Slices and validates, writes TFMA's results and returns its validation.

    Args:
        batch: From `record_batch`.
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
            | "UnitRows" >> beam.Create([batch])
            | "ToExtracts" >> tfma.BatchedInputsToExtracts()
            | "Slice" >> tfma.ExtractAndEvaluate(extractors=extractors, evaluators=evaluators)
            | "Write" >> tfma.WriteResults(writers=tfma.default_writers(output, eval_config=config))
        )
    return tfma.load_validation_result(output)


def _mean(table: ScoreTable, places: Sequence[int], metric: str) -> float:
    return float(np.mean([table.rows[place].metrics.get(metric, np.nan) for place in places]))


def _lists(values: Sequence[Any]):
    """Wraps each value in a list of its own, the shape TFMA's features have."""
    import pyarrow

    flat = pyarrow.array(values)
    return pyarrow.ListArray.from_arrays(np.arange(len(flat) + 1, dtype=np.int32), flat)

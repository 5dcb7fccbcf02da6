"""Unit scores through TFMA, which slices them and writes results for its own views.

The gate has decided by then (`decision`); what TFMA writes is read by
`tfma.load_eval_result`. This is its model-agnostic path: the "predictions" are metrics that
are already there. The units of a sequence at a noise level become one TFMA example per metric
with the features `task`, `metric`, `noise`, `kind` and `sequence`, their number as weight, and
one `model_spec` per column: `candidate`, `production` (TFMA's baseline, if there is one), and
`over_<name>`, candidate minus a baseline. The weighted `MeanPrediction` is then the mean over
the unit scores of a slice. No slice is finer than a sequence at a noise level, so TFMA's cost
does not grow with the number of retrieval queries.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import numpy as np
import pyarrow
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.evaluators import metrics_plots_and_validations_evaluator
from tensorflow_model_analysis.extractors import (
    example_weights_extractor,
    features_extractor,
    labels_extractor,
    materialized_predictions_extractor,
    slice_key_extractor,
    unbatch_extractor,
)
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.writers import (
    eval_config_writer,
    metrics_plots_and_validations_writer,
)

from components.core.names import CANDIDATE, PRODUCTION, TASK_NAMES
from components.descriptor_evaluator.protocol.scores import MAIN_METRIC
from components.descriptor_evaluator.settings import GateSettings
from components.descriptor_evaluator.statistics.score_table import ScoreTable

if TYPE_CHECKING:
    import pyarrow
    from tensorflow_model_analysis.proto import config_pb2

LABEL = "label"
WEIGHT = "units"
FEATURES = ("task", "metric", "noise", "kind", "sequence")
SLICES = (
    ("task", "metric"),
    ("task", "metric", "noise"),
    ("task", "metric", "kind"),
    ("task", "metric", "noise", "kind"),
    ("task", "metric", "sequence"),
)


def over(baseline: str) -> str:
    """Returns the column that holds candidate minus a baseline."""
    return f"over_{baseline}"


def metrics_used(settings: GateSettings) -> dict[str, tuple[str, ...]]:
    """Returns the metrics that TFMA slices, by task: the gate's and the reference's."""
    names: dict[str, set[str]] = {task: {MAIN_METRIC, settings.metric} for task in TASK_NAMES}
    for floor in settings.floors:
        names[floor.task].add(settings.metric_of(floor))
    return {task: tuple(sorted(metrics)) for task, metrics in names.items()}


def eval_config(baselines: Sequence[str], with_production: bool) -> config_pb2.EvalConfig:
    """Returns what TFMA computes: the mean of every column on every slice.

    Args:
        baselines: Baselines that were scored, at least one (TFMA lays out a single column
            otherwise); each gets a column.
        with_production: Whether there is a production model other than the candidate.
    """
    config = config_pb2.EvalConfig()
    columns = [CANDIDATE, *([PRODUCTION] if with_production else []), *map(over, baselines)]
    for column in columns:
        config.model_specs.add(
            name=column,
            prediction_key=column,
            label_key=LABEL,
            example_weight_key=WEIGHT,
            is_baseline=column == PRODUCTION,
        )
    for keys in SLICES:
        config.slicing_specs.add(feature_keys=keys)
    config.options.include_default_metrics.value = False
    spec = config.metrics_specs.add(model_names=columns)
    spec.example_weights.weighted = True
    spec.metrics.add(class_name="MeanPrediction")
    return config


def record_batch(
    candidate: ScoreTable,
    baselines: Mapping[str, ScoreTable],
    production: ScoreTable | None,
    metrics: Mapping[str, Sequence[str]],
) -> pyarrow.RecordBatch:
    """Lays unit scores out as TFMA's input, one example per cell and metric.

    Raises:
        ValueError: When the models were not scored on the same units.
    """
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
) -> None:
    """Slices and writes TFMA's results.

    Args:
        batch: From `record_batch`.
        config: From `eval_config`.
        output: Folder for TFMA's files; `tfma.load_eval_result` reads them.
        make_pipeline: Returns a Beam pipeline that runs when its context closes.
    """
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
    keys = (constants.METRICS_KEY, constants.PLOTS_KEY)  # no validation: the gate has decided
    writers = [
        eval_config_writer.EvalConfigWriter(output, config, model_locations={"": "<unknown>"}),
        metrics_plots_and_validations_writer.MetricsPlotsAndValidationsWriter(
            output_paths={key: posixpath.join(output, key) for key in keys},
            eval_config=config,
            output_file_format="tfrecord",
        ),
    ]
    with make_pipeline() as pipeline:
        _ = (
            pipeline
            | "UnitScores" >> beam.Create([batch])
            | "ToExtracts" >> tfma.BatchedInputsToExtracts()
            | "Slice" >> tfma.ExtractAndEvaluate(extractors=extractors, evaluators=evaluators)
            | "Write" >> tfma.WriteResults(writers=writers)
        )


def _mean(table: ScoreTable, places: Sequence[int], metric: str) -> float:
    return float(np.mean([table.rows[place].metrics.get(metric, np.nan) for place in places]))


def _lists(values: Sequence[Any]):
    """Wraps each value in a list of its own, the shape TFMA's features have."""
    flat = pyarrow.array(values)
    return pyarrow.ListArray.from_arrays(np.arange(len(flat) + 1, dtype=np.int32), flat)

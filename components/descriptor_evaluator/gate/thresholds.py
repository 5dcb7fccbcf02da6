"""The gate's thresholds as a TFMA EvalConfig.

The units of a sequence at a noise level become one TFMA example per metric with the
features `task`, `metric`, `noise`, `kind` and `sequence`, their number as weight, and these
columns as ready-made predictions, one `model_spec` each; the weighted `MeanPrediction` is
then the mean over the unit scores of a slice:

* `candidate`: the metric of the candidate; floors are value thresholds;
* `production`: of the model in production, TFMA's baseline; "not worse" is a change
  threshold (the comparison of means only: TFMA's intervals would resample rows, which are
  not independent, so bounds are made in `decision`);
* `over_<name>`: candidate minus a handcrafted descriptor, so that being above it is a value
  threshold. TFMA knows one baseline only, and that is production. Being above the better
  of several is being above each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.descriptor_evaluator.protocol.scores import MAIN_METRIC
from components.descriptor_evaluator.settings import ROUNDING, TASK_NAMES, GateSettings

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import config_pb2

CANDIDATE = "candidate"
PRODUCTION = "production"
LABEL = "label"
WEIGHT = "units"
FEATURES = ("task", "metric", "noise", "kind", "sequence")
OVER = "over_"
SLICES = (
    ("task", "metric"),
    ("task", "metric", "noise"),
    ("task", "metric", "kind"),
    ("task", "metric", "noise", "kind"),
    ("task", "metric", "sequence"),
)


def over(baseline: str) -> str:
    """Returns the column that holds candidate minus a baseline."""
    return f"{OVER}{baseline}"


def metrics_used(settings: GateSettings) -> dict[str, tuple[str, ...]]:
    """Returns the metrics that TFMA is to slice, by task: the gate's and the reference's."""
    names: dict[str, set[str]] = {task: {MAIN_METRIC, settings.metric} for task in TASK_NAMES}
    for floor in settings.floors:
        names[floor.task].add(settings.metric_of(floor))
    return {task: tuple(sorted(metrics)) for task, metrics in names.items()}


def eval_config(
    settings: GateSettings, baselines: Sequence[str], with_production: bool
) -> config_pb2.EvalConfig:
    """Compiles the gate to TFMA.

    Args:
        settings: Thresholds.
        baselines: Handcrafted descriptors that were scored, at least one (TFMA lays out a
            single column otherwise); each gets a column.
        with_production: Whether there is a production model other than the candidate.
            Without one there are no change thresholds.
    """
    # TFMA's package imports TensorFlow, and this module is imported early.
    from tensorflow_model_analysis.proto import config_pb2

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
    candidate = _mean_of(config, [CANDIDATE, *([PRODUCTION] if with_production else [])])
    for floor in settings.floors:
        _add_floor(
            candidate,
            floor.at_least,
            task=floor.task,
            metric=settings.metric_of(floor),
            noise=floor.noise,
            kind=floor.kind,
        )
    if with_production:
        _add_change_thresholds(candidate, settings)
    for baseline in baselines:
        _add_baseline_thresholds(_mean_of(config, [over(baseline)]), baseline, settings)
    return config


def _mean_of(config: config_pb2.EvalConfig, columns: Sequence[str]) -> config_pb2.MetricConfig:
    spec = config.metrics_specs.add(model_names=columns)
    spec.example_weights.weighted = True
    return spec.metrics.add(class_name="MeanPrediction")


def _add_slice(mean: config_pb2.MetricConfig, **features: str | None):
    """Adds a threshold on the slice with these feature values (None: all values)."""
    threshold = mean.per_slice_thresholds.add()
    spec = threshold.slicing_specs.add()
    for name, value in features.items():
        if value is not None:
            spec.feature_values[name] = value
    return threshold.threshold


def _add_floor(mean: config_pb2.MetricConfig, bound: float, **features: str | None) -> None:
    _add_slice(mean, **features).value_threshold.lower_bound.value = bound - ROUNDING


def _add_change_thresholds(mean: config_pb2.MetricConfig, settings: GateSettings) -> None:
    from tensorflow_model_analysis.proto import config_pb2  # see `eval_config`

    rule = settings.production
    for task in rule.tasks:
        for part in rule.slices:
            threshold = _add_slice(
                mean, task=task, metric=settings.metric, noise=part.noise, kind=part.kind
            ).change_threshold
            delta = rule.delta if part.delta is None else part.delta
            threshold.absolute.value = -delta - ROUNDING
            threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER


def _add_baseline_thresholds(
    mean: config_pb2.MetricConfig, baseline: str, settings: GateSettings
) -> None:
    rule, metric = settings.baseline, settings.metric
    if rule is None:
        return
    if baseline in rule.names:
        for task in rule.tasks:
            for level, margin in rule.margins.items():
                noise = None if level == "mean" else level
                _add_floor(mean, margin, task=task, metric=metric, noise=noise)
    for part in rule.slices:
        if baseline not in (rule.names if part.over is None else (part.over,)):
            continue
        for task in rule.tasks if part.task is None else (part.task,):
            _add_floor(
                mean, part.margin, task=task, metric=metric, noise=part.noise, kind=part.kind
            )

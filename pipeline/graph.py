"""The whole DAG on one screen."""

from __future__ import annotations

import dataclasses
import posixpath
from typing import TypeAlias

from tfx.components import ExampleValidator, StatisticsGen, Transform
from tfx.orchestration import data_types
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.proto import transform_pb2

from components.anomaly_gate.component import AnomalyGate
from components.descriptor_evaluator.component import DescriptorEvaluator
from components.descriptor_evaluator.scoring.provenance import code_fingerprint
from components.descriptor_trainer.component import DescriptorTrainer
from components.evaluation_report.component import EvaluationReport, templates_fingerprint
from components.example_gen.component import PatchExampleGen
from components.example_gen.settings import DataSettings
from components.example_gen.splits import load_split_lists
from components.schema.component import ImportSchemaGen, packaged_schema
from components.serving.production_model.component import ProductionModel
from components.serving.pusher.component import Pusher
from components.serving.serving_validator.component import ServingValidator
from pipeline.config.tree import PipelineConfig
from trainer.core.code_fingerprint import fingerprint
from trainer.core.variants import TRAIN

_CORE = "components.core"
_MODEL = ("trainer.model.card", "trainer.model.export", "trainer.model.names")
_RECORDS = ("trainer.data.records", "trainer.data.manifest", "trainer.core.variants")
Text: TypeAlias = str | data_types.RuntimeParameter
"""A text that is known now, or a parameter that a compiled pipeline is given when it runs."""


@dataclasses.dataclass(frozen=True)
class VertexPlaces:
    """Where jobs on Vertex AI run that train for the pipeline; `staging` takes their files."""

    project: Text
    location: Text
    staging: Text


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a run reads and writes, and what it is compared with.

    Attributes:
        data: Folder of the data.
        artifacts: Pipeline root.
        serving: Push destination.
        cache: Evaluation results by content; empty for none.
        reports: Folder where AnomalyGate's report of a refusal stays readable; empty for none.
        data_fingerprint: Changes with the data.
        tasks: Published task files, in place of `evaluation.official_tasks`; empty to take that.
        tasks_fingerprint: Changes with the published task files; empty when none are used.
        production_checksum: See `ProductionModel`.
        destination_state: See `DescriptorEvaluator`.
        pusher_state: See `Pusher`.
        vertex: Project and region of training jobs; None trains in the component itself.
    """

    data: Text
    artifacts: str
    serving: Text
    cache: str = ""
    reports: str = ""
    data_fingerprint: Text = ""
    tasks: Text = ""
    tasks_fingerprint: str = ""
    production_checksum: str = ""
    destination_state: str = ""
    pusher_state: str = ""
    vertex: VertexPlaces | None = None


def create_pipeline(config: PipelineConfig, places: Places, **runner_args) -> tfx_pipeline.Pipeline:
    """Builds the DAG that every runner runs.

    Args:
        config: The resolved configuration.
        places: Paths and fingerprints of this run.
        **runner_args: Handed to `tfx.orchestration.pipeline.Pipeline`, e.g.
            `metadata_connection_config`, `beam_pipeline_args`.
    """
    example_gen = PatchExampleGen(
        input_base=places.data,
        format=config.data.format,
        pattern=config.data.pattern,
        settings_json=_portable(config.data.settings()).model_dump_json(),
        split_lists=load_split_lists(config.data.split),
        data_fingerprint=places.data_fingerprint,
        code_fingerprint=fingerprint("components.example_gen", _CORE, *_RECORDS),
    )
    examples = example_gen.outputs["examples"]

    schema_gen = ImportSchemaGen(schema_text=packaged_schema())
    schema = schema_gen.outputs["schema"]
    statistics_gen = StatisticsGen(examples=examples, schema=schema)
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema
    )
    anomaly_gate = AnomalyGate(
        anomalies=example_validator.outputs["anomalies"],
        report_folder=places.reports,
        code_fingerprint=fingerprint("components.anomaly_gate", _CORE),
    )
    transform = Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="components.preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=[TRAIN]),
        materialize=False,
        disable_statistics=True,
        custom_config={
            "code_fingerprint": fingerprint(
                "components.preprocessing", "trainer.data.image", "trainer.data.resizing", *_RECORDS
            )
        },
    )
    transform.add_upstream_node(anomaly_gate)  # the gate passes no data on

    production = ProductionModel(
        push_destination=places.serving,
        production_checksum=places.production_checksum,
        code_fingerprint=fingerprint("components.serving.production_model", _CORE, *_MODEL),
    )
    trainer = DescriptorTrainer(
        examples=examples,
        transform_graph=transform.outputs["transform_graph"],
        base_model=production.outputs["model"] if config.warm_start else None,
        training=config.training.model_dump_json(),
        code_fingerprint=fingerprint("components.descriptor_trainer", "trainer"),
        **_vertex_job(config, places),
    )
    evaluator = DescriptorEvaluator(
        examples=examples,
        model=trainer.outputs["model"],
        baseline_model=production.outputs["model"],
        settings=config.evaluation_settings.model_dump_json(),
        official_tasks=places.tasks,
        cache_dir=places.cache,
        tasks_fingerprint=places.tasks_fingerprint,
        destination_state=places.destination_state,
        code_fingerprint=code_fingerprint(),
    )
    report = EvaluationReport(
        evaluation=evaluator.outputs["evaluation"],
        examples=examples,
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        images=places.data,
        # What the report cannot find in the artifacts.
        configuration=config.model_dump_json(include={"name", "beam", "warm_start", "platform"}),
        push_destination=places.serving,
        code_fingerprint=fingerprint(
            "components.evaluation_report",
            "components.matching",
            "components.example_gen",
            _CORE,
        )
        + templates_fingerprint(),
    )
    validator = ServingValidator(
        model=trainer.outputs["model"],
        examples=examples,
        code_fingerprint=fingerprint("components.serving.serving_validator", _CORE, *_RECORDS),
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=validator.outputs["blessing"],
        push_destination=places.serving,
        destination_state=places.pusher_state,
        code_fingerprint=fingerprint(
            "components.serving.pusher", "components.serving.production_model", _CORE, *_MODEL
        ),
    )
    return tfx_pipeline.Pipeline(
        pipeline_name=config.name,
        pipeline_root=places.artifacts,
        components=[
            example_gen,
            schema_gen,
            statistics_gen,
            example_validator,
            anomaly_gate,
            transform,
            production,
            trainer,
            evaluator,
            report,
            validator,
            pusher,
        ],
        enable_cache=True,
        **runner_args,
    )


def _portable(settings: DataSettings) -> DataSettings:
    """Returns settings without the folder of a splits file, whose content goes along."""
    if settings.split.file is None:
        return settings
    split = settings.split.model_copy(update={"file": posixpath.basename(settings.split.file)})
    return settings.model_copy(update={"split": split})


def _vertex_job(config: PipelineConfig, places: Places) -> dict[str, Text]:
    """Arguments that make the trainer run its work as a job on Vertex AI; none without one."""
    if config.platform.training is None or places.vertex is None:
        return {}
    return {
        "vertex_json": config.platform.training.model_dump_json(),
        **dataclasses.asdict(places.vertex),
    }

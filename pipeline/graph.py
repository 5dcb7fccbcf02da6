"""The whole DAG on one screen."""

from __future__ import annotations

import dataclasses

from tfx.components import ExampleValidator, StatisticsGen, Transform
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.proto import transform_pb2

from components.anomaly_gate.component import AnomalyGate
from components.descriptor_evaluator.component import DescriptorEvaluator
from components.descriptor_trainer.component import DescriptorTrainer
from components.example_gen.component import PatchExampleGen
from components.example_gen.splits import load_split_lists
from components.production_model.component import ProductionModel
from components.pusher.component import create_pusher
from components.serving_validator.component import ServingValidator
from pipeline.config import PipelineConfig
from trainer.code_fingerprint import fingerprint

_RECORDS = ("trainer.records", "trainer.manifest", "trainer.variants")


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a run reads and writes, and what it is compared with.

    Attributes:
        data: Folder of the data.
        artifacts: Pipeline root.
        serving: Push destination.
        schema: The schema file; its name must change with its content (TFX's cache key
            holds only the name).
        cache: Evaluation results by content; empty for none.
        reports: Where AnomalyGate's report of a refusal stays readable; empty for none.
        data_fingerprint: Changes with the data.
        tasks_fingerprint: Changes with the published task files; empty when none are used.
        production_checksum: Checksum of the model in production; empty to look it up at
            run time, with no caching.
        destination_state: Changes with every push and rollback, so that no cached "pushed"
            stands for a model that is no longer served, and no cached verdict for a
            comparison with models that were taken back.
    """

    data: str
    artifacts: str
    serving: str
    schema: str
    cache: str = ""
    reports: str = ""
    data_fingerprint: str = ""
    tasks_fingerprint: str = ""
    production_checksum: str = ""
    destination_state: str = ""


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
        source=config.data.source,
        pattern=config.data.pattern,
        settings_json=config.data.settings().model_dump_json(),
        split_lists=load_split_lists(config.data.split),
        data_fingerprint=places.data_fingerprint,
        code_fingerprint=fingerprint("components.example_gen", *_RECORDS),
    )
    examples = example_gen.outputs["examples"]

    schema_gen = ImportSchemaGen(schema_file=places.schema)
    schema = schema_gen.outputs["schema"]
    statistics_gen = StatisticsGen(examples=examples, schema=schema)
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema
    )
    anomaly_gate = AnomalyGate(
        anomalies=example_validator.outputs["anomalies"],
        report_folder=places.reports,
        code_fingerprint=fingerprint("components.anomaly_gate"),
    )
    transform = Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="components.preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=["train"]),
        materialize=False,
        disable_statistics=True,
        custom_config={
            "code_fingerprint": fingerprint("components.preprocessing", "trainer.image", *_RECORDS)
        },
    )
    transform.add_upstream_node(anomaly_gate)  # the gate passes no data on

    production = ProductionModel(
        push_destination=places.serving,
        production_checksum=places.production_checksum,
        code_fingerprint=fingerprint("components.production_model", "trainer.export"),
    )
    trainer = DescriptorTrainer(
        examples=examples,
        transform_graph=transform.outputs["transform_graph"],
        base_model=production.outputs["model"] if config.warm_start else None,
        training_json=config.training.model_dump_json(),
        code_fingerprint=fingerprint("components.descriptor_trainer", "trainer"),
    )
    evaluator = DescriptorEvaluator(
        examples=examples,
        model=trainer.outputs["model"],
        baseline_model=production.outputs["model"],
        evaluation_json=config.evaluation.model_dump_json(),
        cache_dir=places.cache,
        tasks_fingerprint=places.tasks_fingerprint,
        destination_state=places.destination_state,
        code_fingerprint=fingerprint(
            "components.descriptor_evaluator", "components.pusher.push_log", *_RECORDS
        ),
    )
    validator = ServingValidator(
        model=trainer.outputs["model"],
        examples=examples,
        code_fingerprint=fingerprint("components.serving_validator", *_RECORDS),
    )
    pusher = create_pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=validator.outputs["blessing"],
        destination=places.serving,
        destination_state=places.destination_state,
        code_fingerprint=fingerprint(
            "components.pusher", "components.production_model", "trainer.export"
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
            validator,
            pusher,
        ],
        enable_cache=True,
        **runner_args,
    )

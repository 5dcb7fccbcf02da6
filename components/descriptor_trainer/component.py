"""DescriptorTrainer: examples and a transform graph in, a SavedModel that knows what it is out."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration import data_types
from tfx.types import component_spec, standard_artifacts

from components.descriptor_trainer import executor


class DescriptorTrainerSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of DescriptorTrainer."""

    PARAMETERS: ClassVar = {
        executor.TRAINING_KEY: component_spec.ExecutionParameter(type=str),
        executor.CODE_FINGERPRINT_KEY: component_spec.ExecutionParameter(type=str),
        # Of the executor that trains in a job on Vertex AI.
        "vertex_json": component_spec.ExecutionParameter(type=str, optional=True),
        "project": component_spec.ExecutionParameter(type=str, optional=True),
        "location": component_spec.ExecutionParameter(type=str, optional=True),
        "staging": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar = {
        executor.EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        executor.TRANSFORM_GRAPH_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.TransformGraph
        ),
        executor.BASE_MODEL_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.Model, optional=True
        ),
    }
    OUTPUTS: ClassVar = {
        executor.MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.Model),
        executor.MODEL_RUN_KEY: component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
    }


class DescriptorTrainer(base_component.BaseComponent):
    """Trains a patch descriptor by batch-hard triplets in stages (`trainer.engine.loop`).

    Component `outputs` contains:
     - `model`: Channel of type `standard_artifacts.Model`: a SavedModel under
       `Format-Serving` with the signatures `serving_default` and `serialized_records`.
     - `model_run`: Channel of type `standard_artifacts.ModelRun`: TensorBoard logs,
       `timeline.json` (stages, promotions, rollbacks) and `training_result.json`.
    """

    SPEC_CLASS = DescriptorTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        training_json: str,
        code_fingerprint: str,
        base_model: types.BaseChannel | None = None,
        vertex_json: str | None = None,
        project: str | data_types.RuntimeParameter | None = None,
        location: str | data_types.RuntimeParameter | None = None,
        staging: str | data_types.RuntimeParameter | None = None,
    ):
        """Builds the component.

        Args:
            examples: ExampleGen's output (raw shards and manifest).
            transform_graph: Transform's output; the shards are packed through it once.
            training_json: `trainer.core.config.TrainerConfig` as JSON.
            code_fingerprint: See `trainer.core.code_fingerprint`.
            base_model: ProductionModel's output, to start from its variables.
            vertex_json: `VertexTrainingSettings` as JSON, to train in a job on Vertex AI; None
                trains where the component runs.
            project: Google Cloud project of the job.
            location: Region of the job.
            staging: Folder (`gs://`) for the job's files while it runs.
        """
        super().__init__(
            spec=DescriptorTrainerSpec(
                examples=examples,
                transform_graph=transform_graph,
                base_model=base_model,
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
                training=training_json,
                code_fingerprint=code_fingerprint,
                vertex_json=vertex_json,
                project=project,
                location=location,
                staging=staging,
            ),
            custom_executor_spec=_vertex_executor() if vertex_json else None,
        )


def _vertex_executor() -> executor_spec.ExecutorClassSpec:
    from components.descriptor_trainer.vertex.executor import Executor  # imports Vertex's client

    return executor_spec.ExecutorClassSpec(Executor)

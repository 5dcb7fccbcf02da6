"""DescriptorTrainer: examples and a transform graph in, a SavedModel that knows what it is out."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import executor_spec
from tfx.types import component_spec, standard_artifacts

from components.core.component import OPTIONAL_TEXT, TEXT, Component, channel
from components.core.names import CODE_FINGERPRINT_KEY, EXAMPLES_KEY, MODEL_KEY, MODEL_RUN_KEY
from components.descriptor_trainer import executor


class DescriptorTrainerSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of DescriptorTrainer."""

    PARAMETERS: ClassVar = {
        executor.TRAINING_KEY: TEXT,
        CODE_FINGERPRINT_KEY: TEXT,
        # Of the executor that trains in a job on Vertex AI.
        "vertex_json": OPTIONAL_TEXT,
        "project": OPTIONAL_TEXT,
        "location": OPTIONAL_TEXT,
        "staging": OPTIONAL_TEXT,
    }
    INPUTS: ClassVar = {
        EXAMPLES_KEY: channel(standard_artifacts.Examples),
        executor.TRANSFORM_GRAPH_KEY: channel(standard_artifacts.TransformGraph),
        executor.BASE_MODEL_KEY: channel(standard_artifacts.Model, optional=True),
    }
    OUTPUTS: ClassVar = {
        MODEL_KEY: channel(standard_artifacts.Model),
        MODEL_RUN_KEY: channel(standard_artifacts.ModelRun),
    }


class DescriptorTrainer(Component):
    """Trains a patch descriptor by batch-hard triplets in stages (`trainer.engine.loop`).

    Args:
        examples: ExampleGen's output (raw shards and manifest).
        transform_graph: Transform's output; the shards are packed through it once.
        training: `trainer.core.config.TrainerConfig` as JSON.
        code_fingerprint: See `trainer.core.code_fingerprint`.
        base_model: ProductionModel's output, to start from its variables.
        vertex_json: `VertexTrainingSettings` as JSON, to train in a job on Vertex AI; without it
            the component trains where it runs.
        project: Google Cloud project of the job.
        location: Region of the job.
        staging: Folder (`gs://`) for the job's files while it runs.

    Component `outputs` contains:
     - `model`: Channel of type `standard_artifacts.Model`: a SavedModel under
       `Format-Serving` with the signatures `serving_default` and `serialized_records`.
     - `model_run`: Channel of type `standard_artifacts.ModelRun`: TensorBoard logs,
       `timeline.json` (stages, promotions, rollbacks) and `training_result.json`.
    """

    SPEC_CLASS = DescriptorTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, **given: Any) -> None:
        """Builds the component, with the executor for the place of the training."""
        super().__init__(_vertex_executor() if given.get("vertex_json") else None, **given)


def _vertex_executor() -> executor_spec.ExecutorClassSpec:
    from components.descriptor_trainer.vertex.executor import Executor  # imports Vertex's client

    return executor_spec.ExecutorClassSpec(Executor)

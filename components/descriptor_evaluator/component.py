"""DescriptorEvaluator: a model and held-out patches in, an evaluation and a blessing out."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration import data_types
from tfx.types import component_spec, standard_artifacts

from components.descriptor_evaluator import executor


class DescriptorEvaluatorSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of DescriptorEvaluator."""

    PARAMETERS: ClassVar = {
        executor.SETTINGS_KEY: component_spec.ExecutionParameter(type=str),
        executor.OFFICIAL_TASKS_KEY: component_spec.ExecutionParameter(type=str, optional=True),
        executor.CODE_FINGERPRINT_KEY: component_spec.ExecutionParameter(type=str),
        executor.TASKS_FINGERPRINT_KEY: component_spec.ExecutionParameter(type=str, optional=True),
        executor.DESTINATION_STATE_KEY: component_spec.ExecutionParameter(type=str, optional=True),
        executor.CACHE_FOLDER_KEY: component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar = {
        executor.EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        executor.MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.Model),
        executor.BASELINE_MODEL_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.Model, optional=True
        ),
    }
    OUTPUTS: ClassVar = {
        executor.EVALUATION_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation
        ),
        executor.BLESSING_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelBlessing
        ),
    }


class DescriptorEvaluator(base_beam_component.BaseBeamComponent):
    """Scores a descriptor on the HPatches tasks and decides whether it may be pushed.

    Component `outputs` contains:
     - `evaluation`: Channel of type `standard_artifacts.ModelEvaluation`: `verdict.json`
       (`components.descriptor_evaluator.gate.verdict`), `summary.json`, one JSON line per unit
       under `scores`, the tasks, what a report shows (`exhibits.json`), and TFMA's
       results, which `tfma.load_eval_result` reads.
     - `blessing`: Channel of type `standard_artifacts.ModelBlessing` with the file BLESSED or
       NOT_BLESSED and the properties that TFX's own Evaluator sets, so that the stock Pusher
       obeys it.
    """

    SPEC_CLASS = DescriptorEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        evaluation_json: str,
        code_fingerprint: str,
        baseline_model: types.BaseChannel | None = None,
        cache_dir: str | None = None,
        tasks_fingerprint: str = "",
        destination_state: str = "",
        official_tasks: str | data_types.RuntimeParameter = "",
    ):
        """Builds the component.

        Args:
            examples: ExampleGen's output; the split `eval` is scored, and `val` serves to
                choose the smoothing of the baseline `rootsift-smoothed`.
            model: The candidate, a SavedModel under `Format-Serving`.
            evaluation_json: `EvaluationSettings` as JSON.
            code_fingerprint: See `trainer.core.code_fingerprint`.
            baseline_model: ProductionModel's output; its custom property `exists` is 0 when
                nothing is in production yet.
            cache_dir: Folder where unit scores are kept by content, local or `gs://`; None
                keeps nothing.
            tasks_fingerprint: Changes with the published task files, if any are used; only
                part of the cache key.
            destination_state: Changes with every push and rollback (the gate looks at earlier
                pushed models, too); only part of the cache key.
            official_tasks: Folder with published task files, in place of the settings' own; ""
                leaves those.
        """
        super().__init__(
            spec=DescriptorEvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
                settings=evaluation_json,
                code_fingerprint=code_fingerprint,
                cache_dir=cache_dir,
                tasks_fingerprint=tasks_fingerprint,
                destination_state=destination_state,
                official_tasks=official_tasks,
            )
        )

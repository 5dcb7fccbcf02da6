"""DescriptorEvaluator: a model and held-out patches in, an evaluation and a blessing out."""

from __future__ import annotations

from typing import ClassVar

from tfx.dsl.components.base import executor_spec
from tfx.types import component_spec, standard_artifacts

from components.core.component import OPTIONAL_TEXT, TEXT, BeamComponent, channel
from components.core.names import CODE_FINGERPRINT_KEY, EVALUATION_KEY, EXAMPLES_KEY, MODEL_KEY
from components.descriptor_evaluator import executor


class DescriptorEvaluatorSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of DescriptorEvaluator."""

    PARAMETERS: ClassVar = {
        executor.SETTINGS_KEY: TEXT,
        executor.OFFICIAL_TASKS_KEY: OPTIONAL_TEXT,
        CODE_FINGERPRINT_KEY: TEXT,
        executor.TASKS_FINGERPRINT_KEY: OPTIONAL_TEXT,
        executor.DESTINATION_STATE_KEY: OPTIONAL_TEXT,
        executor.CACHE_FOLDER_KEY: OPTIONAL_TEXT,
    }
    INPUTS: ClassVar = {
        EXAMPLES_KEY: channel(standard_artifacts.Examples),
        MODEL_KEY: channel(standard_artifacts.Model),
        executor.BASELINE_MODEL_KEY: channel(standard_artifacts.Model, optional=True),
    }
    OUTPUTS: ClassVar = {
        EVALUATION_KEY: channel(standard_artifacts.ModelEvaluation),
        executor.BLESSING_KEY: channel(standard_artifacts.ModelBlessing),
    }


class DescriptorEvaluator(BeamComponent):
    """Scores a descriptor on the HPatches tasks and decides whether it may be pushed.

    Args:
        examples: ExampleGen's output; the split `eval` is scored, and `val` serves to choose the
            smoothing of the baseline `rootsift-smoothed`.
        model: The candidate, a SavedModel under `Format-Serving`.
        settings: `EvaluationSettings` as JSON.
        code_fingerprint: See `trainer.core.code_fingerprint`.
        baseline_model: ProductionModel's output; its custom property `exists` is 0 when
            nothing is in production yet.
        cache_dir: Folder where unit scores are kept by content, local or `gs://`; None keeps
            nothing.
        tasks_fingerprint: Changes with the published task files, if any are used; only part of
            the cache key.
        destination_state: Changes with every push and rollback (the gate looks at earlier
            pushed models, too); only part of the cache key.
        official_tasks: Folder with published task files, in place of the settings' own; ""
            leaves those.

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

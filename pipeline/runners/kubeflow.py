"""Compiles the DAG for Kubeflow Pipelines and Vertex AI: a KFP PipelineSpec 2.1."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfx.orchestration import data_types
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

from components.core import beam_runner
from components.core.names import EVALUATOR, PRODUCTION_MODEL
from pipeline.config.platform import TIMEOUT_HOURS
from pipeline.config.tree import PipelineConfig
from pipeline.graph import Places, VertexPlaces, create_pipeline
from pipeline.kfp import adapt, baked_in
from pipeline.kfp.check import check_spec
from pipeline.kfp.platform_check import RUN_PARAMETERS
from trainer.core.errors import UserError

ENTRY_POINT = ("python", "-m", "components.kubeflow.run_executor")
DESCRIPTIONS = {
    "data_path": "Folder of the data.",
    "data_fingerprint": "Anything that changes with the data, so that no old result stands for "
    "it; Kubeflow takes the patches from its cache only with one.",
    "push_destination": "Folder that receives blessed models and holds the one in production.",
    "tasks_path": "Folder with the published task files of HPatches.",
    "project": "Google Cloud project of the jobs that tasks start.",
    "location": "Region of those jobs.",
    "staging": "Folder in a bucket for their files while they run.",
}
DEFAULTS = {"data_fingerprint": ""}
# Production changes without any input of the pipeline telling so. The evaluator reads the task
# files and the log of pushes, of which it is told only the paths (or nothing); it is left out
# with and without task files, since the log is read in either case.
_NEVER_CACHED = (PRODUCTION_MODEL, EVALUATOR)


def compile_pipeline(config: PipelineConfig, target: str, image: str) -> dict[str, Any]:
    """Compiles the DAG of a configuration.

    The paths of the configuration (data, push destination, work folder) are not looked at:
    they are parameters of a run.

    Args:
        config: Resolved configuration that `platform_check.check_platform` has passed.
        target: `kubeflow` or `vertex`.
        image: Container image of the tasks.

    Returns:
        The spec; the same configuration and code give the same one.

    Raises:
        UserError: When it would hold what belongs to a run, or names unknown components.
    """
    _refuse_references(config)
    beam = adapt.in_beam_options(beam_runner.with_full_name(config.beam), RUN_PARAMETERS)
    evaluation = config.evaluation.model_copy(update={"official_tasks": None})
    pipeline = create_pipeline(
        config.model_copy(update={"evaluation": evaluation}),
        _run_parameters(config),
        beam_pipeline_args=list(beam) or None,
    )
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            default_image=image,
            default_commands=list(ENTRY_POINT),
            use_pipeline_spec_2_1=True,
        )
    )
    spec = runner.run(pipeline, write_out=False)["pipelineSpec"]
    uncached: Iterable[str] = _NEVER_CACHED
    if target == "kubeflow":
        spec = adapt.without_drivers(spec)
        # Its driver does not look whether the files of a result are still there, and nothing
        # tells it of the data (`pipeline.kfp.caching`).
        uncached = spec["root"]["dag"]["tasks"]
    spec = adapt.without_caching(spec, uncached)
    spec = adapt.with_retries(spec)
    spec = adapt.with_timeouts(spec, config.platform.timeouts, TIMEOUT_HOURS)
    spec = adapt.with_resources(spec, config.platform.resources)
    spec = adapt.with_parameters_of_commands(spec)
    spec = adapt.with_descriptions(spec, DESCRIPTIONS, DEFAULTS)
    baked_in.check(spec, _of_this_machine(config))
    check_spec(spec)
    return spec


def _refuse_references(config: PipelineConfig) -> None:
    """Refuses descriptors of the user's own, whose paths would be part of the spec."""
    for name in config.evaluation.references:
        raise UserError(
            f"evaluation.references.{name}: is a path, and no parameter of a run stands for it, so "
            "that it would be part of the compiled pipeline; leave references out (and their "
            "names out of evaluation.gate.baseline), or run locally"
        )


def _run_parameters(config: PipelineConfig) -> Places:
    """Returns parameters of the run in the place of everything that a run reads and writes."""
    vertex = None
    if config.platform.training is not None:
        vertex = VertexPlaces(*(_parameter(name) for name in RUN_PARAMETERS))
    return Places(
        data=_parameter("data_path"),
        artifacts="",  # the pipeline root is the platform's own parameter
        serving=_parameter("push_destination"),
        data_fingerprint=_parameter("data_fingerprint"),
        tasks=_parameter("tasks_path") if config.evaluation.official_tasks else "",
        vertex=vertex,
    )


def _parameter(name: str) -> data_types.RuntimeParameter:
    return data_types.RuntimeParameter(name=name, ptype=str)


def _of_this_machine(config: PipelineConfig) -> dict[str, str]:
    """Returns texts that must not get into a compiled pipeline, each with what it is."""
    texts = {
        str(Path.home()): "the home folder of this machine",
        str(Path.cwd()): "the folder of this machine that the command runs in",
        sys.prefix: "the folder of this machine's Python",
        config.data.path: "data.path",
        config.push.destination: "push.destination",
        config.evaluation.official_tasks: "evaluation.official_tasks",
        config.data.split.file: "data.split.file",
    }
    return {text: what for text, what in texts.items() if text and os.sep in text}

"""Configurations and compiled specs for the tests of compiling."""

import functools
import json
from typing import Any

from pipeline.config.tree import PipelineConfig, load_config
from pipeline.runners import kubeflow

IMAGE = "registry.example.com/hpatches-pipeline:1.0"
# All that a configuration may ask of a platform.
EVERYTHING = (
    "name=hpatches-everything",
    "warm_start=true",
    "evaluation.official_tasks=/data/hpatches-benchmark/tasks",
    "training.checkpoint_every=100",
    "platform.training={image: registry.example.com/hpatches/trainer:1.0, "
    "machine_type: cloud-tpu, accelerator_type: TPU_V2, accelerator_count: 8, spot: true}",
    "beam=['--runner=DataflowRunner', '--project={project}', '--region={location}', "
    "'--temp_location={staging}/beam', "
    "'--sdk_container_image=registry.example.com/hpatches-beam-worker:1.0']",
)


_RESOURCES = (
    "platform.resources={Transform: {cpu: 4, memory: 16}, StatisticsGen: {memory: 7.5}, "
    "ServingValidator: {cpu: 2, accelerator: %s}}"
)
_ACCELERATORS = {"vertex": "NVIDIA_L4", "kubeflow": "nvidia.com/gpu"}


def everything(target: str = "vertex") -> PipelineConfig:
    """Returns a configuration with all that a platform can be asked for."""
    return load_config("hpatches_a", (*EVERYTHING, _RESOURCES % _ACCELERATORS[target]))


@functools.cache
def _text(name: str, target: str) -> str:
    config = everything(target) if name == "everything" else load_config(name)
    return json.dumps(kubeflow.compile_pipeline(config, target, IMAGE))


def compiled(name: str, target: str) -> dict[str, Any]:
    """Returns the spec of a packaged configuration or of `everything`; each call a new tree."""
    return json.loads(_text(name, target))

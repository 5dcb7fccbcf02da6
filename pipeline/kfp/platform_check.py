"""Refuses at compile time what the platform would refuse hours later."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from components.core.names import TRAINER
from components.descriptor_trainer.vertex import check as vertex_check
from components.kubeflow import object_stores
from pipeline.config.platform import ResourceRequest
from pipeline.config.tree import PipelineConfig
from pipeline.kfp.check import check_image
from trainer.core.errors import UserError

RUN_PARAMETERS = ("project", "location", "staging")
"""Parameters of a run that Beam's options may name, e.g. `--project={project}`."""

_TPU = re.compile(r"TPU_.*|(cloud-tpus\.)?google\.com/(tpu|v\d+|preemptible-v\d+)")
_ACCELERATOR = {
    "vertex": (re.compile(r"(NVIDIA|TPU)_[A-Z0-9_]+"), "a name of Vertex AI's, e.g. NVIDIA_L4"),
    "kubeflow": (
        re.compile(r"[a-z0-9.-]+/[a-z0-9._-]+"),
        "the name of the cluster's resource, e.g. nvidia.com/gpu",
    ),
}
# Whose values are names of projects, accounts or networks.
_OF_A_RUN = ("project", "region", "service_account_email", "network", "subnetwork")
# Each says in its own way where Beam's workers find this project's packages.
_PACKAGES = (
    "sdk_container_image",
    "setup_file",
    "extra_package",
    "environment_type",
    "environment_config",
)
# By runner: what makes Beam submit a jar to the cluster instead of starting a job server, which
# is a Java program, and where to.
_WITHOUT_JAVA = {
    "FlinkRunner": ("flink_submit_uber_jar", "flink_master"),
    "SparkRunner": ("spark_submit_uber_jar", "spark_rest_url"),
}
_ON_THIS_MACHINE = ("[auto]", "[local]")  # as flink_master


def check_platform(config: PipelineConfig, target: str, image: str | None) -> None:
    """Refuses what cannot run on a platform, or cannot be part of a compiled pipeline.

    Raises:
        UserError: With the key, what was found and what was expected.
    """
    check_image("platform.image", image)
    _check_places(config)
    for name, request in config.platform.resources.items():
        _check_accelerator(f"platform.resources.{name}", request, target)
    if config.platform.training is not None:
        vertex_check.check(config.platform.training, config.training)
    else:
        _check_replicas(config)
    _check_beam(config.beam, image)


def _check_places(config: PipelineConfig) -> None:
    """Refuses places that are no part of the compiled file, but that no task could read."""
    places = {
        "data.path": config.data.path,
        "push.destination": config.push.destination,
        "evaluation.official_tasks": config.evaluation.official_tasks,
    }
    for key, place in places.items():
        if place and "://" in place and not place.startswith(object_stores.STORE):
            raise UserError(f"{key}: found {place}, but {object_stores.reason(place)}")


def _check_accelerator(where: str, request: ResourceRequest, target: str) -> None:
    if request.accelerator is not None and _TPU.fullmatch(request.accelerator):
        raise UserError(
            f"{where}.accelerator: found {request.accelerator!r}, but the pipeline's image has no "
            f"library for TPUs; a TPU is for platform.training, a job on Vertex AI that runs the "
            f"trainer's image"
        )
    pattern, expected = _ACCELERATOR[target]
    if request.accelerator is not None and not pattern.fullmatch(request.accelerator):
        raise UserError(
            f"{where}.accelerator: found {request.accelerator!r}, expected {expected} for the "
            f"target {target}"
        )


def _check_replicas(config: PipelineConfig) -> None:
    """Refuses batches that the accelerators of the trainer's own container cannot share."""
    request = config.platform.resources.get(TRAINER)
    training = config.training
    if request is None or request.accelerator is None or training.strategy == "one_device":
        return
    replicas = request.accelerator_count
    for number, stage in enumerate(training.stages if training.stages != "auto" else ()):
        if stage.points_per_batch % replicas:
            raise UserError(
                f"training.stages.{number}.points_per_batch: found "
                f"{stage.points_per_batch}, which the {replicas} accelerators of "
                f"platform.resources.{TRAINER} cannot share evenly; expected a multiple of "
                f"{replicas}"
            )


def _check_beam(options: Sequence[str], image: str | None) -> None:
    given = dict(option.removeprefix("--").partition("=")[::2] for option in options)
    for name in _OF_A_RUN:
        if name in given and "{" not in given[name]:
            known = ", ".join(f"{{{parameter}}}" for parameter in RUN_PARAMETERS)
            raise UserError(
                f"beam: found --{name}={given[name]}, which would be part of the compiled "
                f"pipeline; expected a parameter of the run in its place, one of {known}"
            )
    for name in re.findall(r"\{(\w+)\}", " ".join(options)):
        if name not in RUN_PARAMETERS:
            raise UserError(
                f"beam: found {{{name}}}, expected one of "
                f"{', '.join(f'{{{parameter}}}' for parameter in RUN_PARAMETERS)}"
            )
    runner = given.get("runner", "DirectRunner")
    if "Direct" not in runner and not any(name in given for name in _PACKAGES):
        raise UserError(
            f"beam: the workers of {runner} need this project's packages, but no option says where "
            "they find them; expected --sdk_container_image=IMAGE, or another one of "
            f"{', '.join(f'--{name}' for name in _PACKAGES[1:])}"
        )
    if given.get("sdk_container_image") == image:
        raise UserError(
            f"beam: found --sdk_container_image={image}, which is the pipeline's own image and "
            "does not start Beam's workers; expected an image with Beam's boot program (docs/"
            "cloud.md, Dataflow)"
        )
    _check_job_server(runner.rpartition(".")[2], given)


def _check_job_server(runner: str, given: Mapping[str, str]) -> None:
    """Refuses what would start Beam's job server in a task's container."""
    if runner not in _WITHOUT_JAVA or given.get("job_endpoint"):
        return
    jar, address = _WITHOUT_JAVA[runner]
    if jar not in given or given.get(address, "[auto]") in _ON_THIS_MACHINE:
        raise UserError(
            f"beam: {runner} would start Beam's job server beside each task, which needs Java, and "
            f"the pipeline's image has none; expected --job_endpoint=HOST:PORT of a job server of "
            f"your own, or --{jar} with --{address}=URL"
        )

"""Refuses at compile time what the platform would refuse hours later."""

from __future__ import annotations

import re
from collections.abc import Sequence

from components.descriptor_trainer.vertex import check as vertex_check
from pipeline.config import PipelineConfig
from pipeline.platform import ResourceRequest
from pipeline.spec.check import check_image
from trainer.errors import UserError

TARGETS = ("kubeflow", "vertex")
RUN_PARAMETERS = ("project", "location", "staging")
"""Parameters of a run that Beam's options may name, e.g. `--project={project}`."""

_TRAINER = "DescriptorTrainer"
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


def check_platform(config: PipelineConfig, target: str, image: str | None) -> None:
    """Refuses what cannot run on a platform, or cannot be part of a compiled pipeline.

    Args:
        config: Resolved configuration.
        target: One of `TARGETS`.
        image: The pipeline's container image.

    Raises:
        UserError: With the key, what was found and what was expected.
    """
    check_image("platform.image", image)
    for name, request in config.platform.resources.items():
        _check_accelerator(f"platform.resources.{name}", request, target)
    if config.platform.training is not None:
        vertex_check.check(config.platform.training, config.training)
    else:
        _check_replicas(config)
    _check_beam(config.beam)


def _check_accelerator(where: str, request: ResourceRequest, target: str) -> None:
    pattern, expected = _ACCELERATOR[target]
    if request.accelerator is not None and not pattern.fullmatch(request.accelerator):
        raise UserError(
            f"{where}.accelerator: found {request.accelerator!r}, expected {expected} for the "
            f"target {target}"
        )


def _check_replicas(config: PipelineConfig) -> None:
    """Refuses batches that the accelerators of the trainer's own container cannot share."""
    request = config.platform.resources.get(_TRAINER)
    training = config.training
    if request is None or request.accelerator is None or training.strategy == "one_device":
        return
    replicas = request.accelerator_count
    for number, stage in enumerate(training.stages if training.stages != "auto" else ()):
        if stage.sequences_per_batch % replicas:
            raise UserError(
                f"training.stages.{number}.sequences_per_batch: found "
                f"{stage.sequences_per_batch}, which the {replicas} accelerators of "
                f"platform.resources.{_TRAINER} cannot share evenly; expected a multiple of "
                f"{replicas}"
            )


def _check_beam(options: Sequence[str]) -> None:
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

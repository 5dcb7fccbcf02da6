"""Refuses what Vertex AI or TensorFlow would refuse, before anything is uploaded or paid for."""

from __future__ import annotations

from components.descriptor_trainer.vertex.machines import KEY, Machine, machine_of
from components.descriptor_trainer.vertex.settings import VertexTrainingSettings
from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError


def check(
    settings: VertexTrainingSettings, training: TrainerConfig, location: str | None = None
) -> None:
    """Refuses combinations that cannot work; of a run also another region than the settings'.

    Raises:
        UserError: With the key, what was found and what would be possible.
    """
    image_of(settings)
    machine = machine_of(settings)
    if location and settings.location not in (location, None):
        raise UserError(
            f"location: found {location}, but {KEY}.location, for which the job is meant, is "
            f"{settings.location}; expected that region, or no {KEY}.location"
        )
    _check_pod(settings, machine)
    _check_strategy(settings, machine, training)
    _check_batches(settings, machine, training)
    _check_spot(settings, machine, training)


_REPLICAS = {"tpu": "cores", "tpu_v5e": "cores", "gpu": "GPUs", "cpu": "hosts"}


def image_of(settings: VertexTrainingSettings) -> str:
    """Returns the image of the job.

    Raises:
        UserError: When there is none.
    """
    if settings.image is None:
        raise UserError(
            f"{KEY}.image is missing, expected the container image of the trainer "
            f"(REGISTRY/NAME@sha256:...); give it, e.g. --set {KEY}.image=IMAGE"
        )
    return settings.image


def _check_spot(
    settings: VertexTrainingSettings, machine: Machine, training: TrainerConfig
) -> None:
    if not settings.spot:
        return
    if machine.is_tpu and machine.hosts > 1:
        # "Use Spot VMs with training" in Vertex AI's documentation.
        raise UserError(
            f"{KEY}.spot is on, but {_named(settings)} is a slice of {machine.hosts} hosts, and "
            f"Vertex AI has no spare capacity of TPU pods; expected spot: false, or a slice of one "
            f"host"
        )
    if not settings.restart:
        raise UserError(
            f"{KEY}.spot is on, but {KEY}.restart is off: once its machine is taken back, the "
            f"job would not be started again, and the run would fail; expected restart: true"
        )
    if not training.checkpoint_every:
        raise UserError(
            f"{KEY}.spot is on, but training.checkpoint_every is 0: a job whose machine is taken "
            f"back would begin anew each time; expected steps between checkpoints, e.g. 100"
        )


def _check_pod(settings: VertexTrainingSettings, machine: Machine) -> None:
    if machine.is_tpu and machine.hosts > 1 and not settings.image_for_pods:
        raise UserError(
            f"{KEY}: {_named(settings)} is a slice of {machine.hosts} hosts, on which TensorFlow "
            f"needs an image built on Vertex's base image for TPU pods; expected a slice of one "
            f"host, or image_for_pods: true with such an image"
        )


def _check_strategy(
    settings: VertexTrainingSettings, machine: Machine, training: TrainerConfig
) -> None:
    several = "tpu" if machine.is_tpu else "mirrored"
    possible = several if machine.is_tpu or machine.replicas > 1 else "one_device"
    if training.strategy not in (possible, "auto"):
        raise UserError(
            f"training.strategy: found {training.strategy}, but {KEY} asks for "
            f"{_named(settings)}; expected auto or {possible}"
        )


def _check_batches(
    settings: VertexTrainingSettings, machine: Machine, training: TrainerConfig
) -> None:
    """Refuses batches that the replicas cannot share evenly."""
    replicas = machine.replicas
    if training.stages == "auto":
        return  # its largest batch has a point for each core of the largest slice
    for number, stage in enumerate(training.stages):
        points = stage.points_per_batch
        if points % replicas:
            raise UserError(
                f"training.stages.{number}.points_per_batch: found {points}, which the "
                f"{replicas} {_REPLICAS[machine.kind]} of {_named(settings)} cannot "
                f"share evenly; expected a multiple of {replicas}"
            )


def _named(settings: VertexTrainingSettings) -> str:
    """Returns the machine in words."""
    if settings.tpu_topology:
        return f"TPU v5e {settings.tpu_topology} ({settings.machine_type})"
    if settings.accelerator_type:
        kind = settings.accelerator_type.replace("TPU_V", "TPU v")
        return f"{kind} with {settings.accelerator_count} " + (
            "cores" if kind.startswith("TPU") else f"of them on {settings.machine_type}"
        )
    return settings.machine_type

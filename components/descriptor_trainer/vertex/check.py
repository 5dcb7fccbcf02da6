"""Refuses what Vertex AI or TensorFlow would refuse, before anything is uploaded or paid for."""

from __future__ import annotations

from collections.abc import Iterable

from components.descriptor_trainer.vertex import machines
from components.descriptor_trainer.vertex.machines import Machine
from components.descriptor_trainer.vertex.settings import VertexTrainingSettings
from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError
from trainer.curriculum import auto_plan
from trainer.curriculum.auto_plan import Resources

_KEY = "platform.training"
_TABLES = "components/descriptor_trainer/vertex/machines.py"
_PLENTY = 10**9  # points, bytes: more than any plan asks for


def check(
    settings: VertexTrainingSettings, training: TrainerConfig, location: str | None = None
) -> None:
    """Refuses combinations that cannot work.

    Args:
        settings: The job's machine and terms.
        training: What is to be trained on it.
        location: Region of the run; None: that of the settings, if they name one.

    Raises:
        UserError: With the key, what was found and what would be possible.
    """
    image_of(settings)
    machine = machine_of(settings)
    _check_pod(settings, machine)
    _check_location(settings, machine, location or settings.location)
    _check_strategy(settings, machine, training)
    _check_batches(settings, machine, training)
    _check_spot(settings, machine, training)


def image_of(settings: VertexTrainingSettings) -> str:
    """Returns the image of the job.

    Raises:
        UserError: When there is none.
    """
    if settings.image is None:
        raise UserError(
            f"{_KEY}.image is missing, expected the container image of the trainer "
            f"(REGISTRY/NAME@sha256:...); give it, e.g. --set {_KEY}.image=IMAGE"
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
            f"{_KEY}.spot is on, but {_named(settings)} is a slice of {machine.hosts} hosts, and "
            f"Vertex AI has no spare capacity of TPU pods; expected spot: false, or a slice of one "
            f"host"
        )
    if not settings.restart:
        raise UserError(
            f"{_KEY}.spot is on, but {_KEY}.restart is off: once its machine is taken back, the "
            f"job would not be started again, and the run would fail; expected restart: true"
        )
    if not training.checkpoint_every:
        raise UserError(
            f"{_KEY}.spot is on, but training.checkpoint_every is 0: a job whose machine is taken "
            f"back would begin anew each time; expected steps between checkpoints, e.g. 100"
        )


def machine_of(settings: VertexTrainingSettings) -> Machine:
    """Returns what a job runs on.

    Raises:
        UserError: When the machine type, accelerator and topology do not go together.
    """
    kind = settings.machine_type
    for prefix, name in machines.WITHOUT_TENSORFLOW.items():
        if kind.startswith(prefix):
            raise UserError(
                f"{_KEY}.machine_type: found {kind} ({name}), on which Vertex AI does not train "
                f"with TensorFlow; expected cloud-tpu (TPU v2, v3) or ct5lp-hightpu-1t, -4t, -8t "
                f"(TPU v5e)"
            )
    if kind.startswith("ct5lp-"):
        return _v5e(settings)
    if settings.tpu_topology is not None:
        raise UserError(
            f"{_KEY}.tpu_topology: found {settings.tpu_topology} with machine_type {kind}, but "
            f"only ct5lp-hightpu-* has a topology; remove it"
            + ("; its size is accelerator_count" if kind == machines.CLOUD_TPU else "")
        )
    if kind == machines.CLOUD_TPU:
        return _v2_or_v3(settings)
    if (settings.accelerator_type or "").startswith("TPU"):
        raise UserError(
            f"{_KEY}.accelerator_type: found {settings.accelerator_type} with machine_type {kind}; "
            f"expected machine_type cloud-tpu for it"
        )
    return _gpus_or_none(settings)


def _v5e(settings: VertexTrainingSettings) -> Machine:
    kind, topology = settings.machine_type, settings.tpu_topology
    if kind not in machines.V5E_HOSTS:
        raise UserError(
            f"{_KEY}.machine_type: found {kind}; expected one of {_listed(machines.V5E_HOSTS)}"
        )
    if settings.accelerator_type is not None or settings.accelerator_count:
        raise UserError(
            f"{_KEY}.accelerator_type: found {settings.accelerator_type} "
            f"({settings.accelerator_count}) with machine_type {kind}, which says already that it "
            f"is a TPU v5e; remove accelerator_type and accelerator_count and set tpu_topology"
        )
    possible = machines.V5E_HOSTS[kind]
    if topology not in possible:
        others = [name for name, known in machines.V5E_HOSTS.items() if topology in known]
        elsewhere = f"; {topology} is a topology of {_listed(others)}" if others else ""
        raise UserError(
            f"{_KEY}.tpu_topology: found {topology or 'none'} with machine_type {kind}; expected "
            f"one of {_listed(possible)}{elsewhere}"
        )
    assert topology is not None
    return machines.tpu_v5e(kind, topology)


def _v2_or_v3(settings: VertexTrainingSettings) -> Machine:
    kind, cores = settings.accelerator_type, settings.accelerator_count
    if kind not in machines.TPU_TYPES:
        raise UserError(
            f"{_KEY}.accelerator_type: found {kind or 'none'} with machine_type cloud-tpu; "
            f"expected one of {_listed(machines.TPU_TYPES)} (TPU v5e has machine types of its own: "
            f"{_listed(machines.V5E_HOSTS)})"
        )
    assert kind is not None
    if cores not in machines.TPU_CORES[kind]:
        raise UserError(
            f"{_KEY}.accelerator_count: found {cores} cores of {kind}; expected one of the sizes "
            f"that exist, {_listed(machines.TPU_CORES[kind])} ({_TABLES})"
        )
    return machines.cloud_tpu(kind, cores)


def _gpus_or_none(settings: VertexTrainingSettings) -> Machine:
    machine, kind = settings.machine_type, settings.accelerator_type
    count = settings.accelerator_count
    if machine in machines.BUNDLED_GPUS:
        bundled = machines.BUNDLED_GPUS[machine]
        if (kind, count) != bundled:
            raise UserError(
                f"{_KEY}.accelerator_type: found {count} of {kind or 'none'} with machine_type "
                f"{machine}, which comes with {bundled[1]} of {bundled[0]}; set accelerator_type "
                f"and accelerator_count to that"
            )
        return Machine("gpu", count)
    if kind is None:
        if count:
            raise UserError(
                f"{_KEY}.accelerator_count: found {count} without an accelerator_type; name the "
                f"accelerator or remove the count"
            )
        return Machine("cpu")
    attached = machines.ATTACHED_GPUS.get(kind)
    if attached is None or not machine.startswith("n1-"):
        raise UserError(
            f"{_KEY}.accelerator_type: found {kind} with machine_type {machine}; expected one of "
            f"{_listed(machines.ATTACHED_GPUS)} with a machine of type n1-*, or a machine type "
            f"that comes with its GPUs (as of {machines.MACHINES_AS_OF}: {_TABLES})"
        )
    if count not in attached:
        raise UserError(
            f"{_KEY}.accelerator_count: found {count} of {kind}; expected one of "
            f"{_listed(attached)}"
        )
    return Machine("gpu", count)


def _check_pod(settings: VertexTrainingSettings, machine: Machine) -> None:
    if machine.hosts > 1 and not settings.image_for_pods:
        raise UserError(
            f"{_KEY}: {_named(settings)} is a slice of {machine.hosts} hosts, on which TensorFlow "
            f"needs an image built on Vertex's base image for TPU pods; expected a slice of one "
            f"host, or image_for_pods: true with such an image"
        )


def _check_location(
    settings: VertexTrainingSettings, machine: Machine, location: str | None
) -> None:
    if location is None or not machine.is_tpu:
        return  # where which GPU is to be had changes too often to be listed here
    regions = machines.REGIONS[machine.kind]
    if machine.hosts > 1:
        regions = machines.POD_REGIONS.get(machine.kind, regions)
    if location not in regions:
        raise UserError(
            f"location: found {location}, which has no {_named(settings)}; expected one of "
            f"{_listed(sorted(regions))} (as of {machines.REGIONS_AS_OF}: {_TABLES})"
        )


def _check_strategy(
    settings: VertexTrainingSettings, machine: Machine, training: TrainerConfig
) -> None:
    possible = {"tpu"} if machine.is_tpu else {"one_device"}
    if machine.kind == "gpu" and machine.replicas > 1:
        possible = {"mirrored"}
    if training.strategy not in possible | {"auto"}:
        raise UserError(
            f"training.strategy: found {training.strategy}, but {_KEY} asks for "
            f"{_named(settings)}; expected auto or {_listed(sorted(possible))}"
        )


def _check_batches(
    settings: VertexTrainingSettings, machine: Machine, training: TrainerConfig
) -> None:
    """Refuses batches that the replicas cannot share evenly."""
    replicas = machine.replicas
    if training.stages == "auto":
        most = _largest_automatic_batch(training, machine)
        if most < replicas:
            raise UserError(
                f"training.stages: auto makes batches of at most {most} patch sequences, which the "
                f"{replicas} cores of {_named(settings)} cannot share; expected a smaller slice "
                f"or a plan of your own"
            )
        return
    for number, stage in enumerate(training.stages):
        sequences = stage.points_per_batch
        if sequences % replicas:
            raise UserError(
                f"training.stages.{number}.points_per_batch: found {sequences}, which the "
                f"{replicas} {'cores' if machine.is_tpu else 'GPUs'} of {_named(settings)} cannot "
                f"share evenly; expected a multiple of {replicas}"
            )


def _largest_automatic_batch(training: TrainerConfig, machine: Machine) -> int:
    """Returns S of the largest batch that `auto` makes however much data and memory there is."""
    found = Resources(
        points=_PLENTY,
        largest_batch=_PLENTY,
        patch_bytes=1,
        memory=_PLENTY,
        device="tpu" if machine.is_tpu else "gpu" if machine.kind == "gpu" else "cpu",
    )
    resolved = auto_plan.resolve(training, found)
    return max(stage.points_per_batch for stage in resolved.plan)


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


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)

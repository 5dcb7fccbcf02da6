"""The request for a training job: settings and places in, Vertex AI's `CustomJob` out."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from google.cloud import aiplatform_v1
from google.protobuf import duration_pb2

from components.descriptor_trainer.vertex import check
from components.descriptor_trainer.vertex.machines import machine_of
from components.descriptor_trainer.vertex.settings import VertexTrainingSettings
from trainer.core.config import TrainerConfig

KEY_LABEL = "hpatches_run"
_TASK_LABELS = {"application": "hpatches", "component": "descriptor-trainer"}
# TensorFlow reaches a TPU v5e through PJRT ("Training with TPU accelerators" of Vertex AI's
# documentation), v2 and v3 without; the trainer's image has the library in this place.
_PJRT = {
    "NEXT_PLUGGABLE_DEVICE_USE_C_API": "true",
    "TF_PLUGGABLE_DEVICE_LIBRARY_PATH": "/lib/libtpu.so",
}


@dataclass(frozen=True)
class Places:
    """Where a job reads and writes: folders that job and pipeline both reach.

    Attributes:
        data: ExampleGen's output.
        transform_graph: Transform's output.
        base: The job's own folder; jobs that do the same work share it, so that a later one
            goes on from the checkpoints of an earlier one.
        warm_start: SavedModel to start from, or None.
    """

    data: str
    transform_graph: str
    base: str
    warm_start: str | None = None

    @property
    def config(self) -> str:
        """The trainer's configuration."""
        return posixpath.join(self.base, "config.json")

    @property
    def output(self) -> str:
        """What is to come back."""
        return posixpath.join(self.base, "output")

    @property
    def logs(self) -> str:
        """TensorBoard's files: what Vertex calls AIP_TENSORBOARD_LOG_DIR."""
        return posixpath.join(self.base, "logs")

    @property
    def checkpoints(self) -> str:
        """What Vertex calls AIP_CHECKPOINT_DIR."""
        return posixpath.join(self.base, "checkpoints")

    @property
    def failure(self) -> str:
        """Why the trainer failed, when it did."""
        return posixpath.join(self.base, "failure.json")

    @property
    def leases(self) -> str:
        """Who waits for the job (`trainer.engine.lease`)."""
        return posixpath.join(self.base, "leases")


def trainer_config(settings: VertexTrainingSettings, training: TrainerConfig) -> TrainerConfig:
    """Returns what the trainer is told on the job's machine.

    Raises:
        UserError: When the machine is impossible.
    """
    machine = machine_of(settings)
    if machine.is_tpu:
        tpu = "environment" if machine.hosts > 1 else "local"
        return training.model_copy(update={"strategy": "tpu", "tpu": tpu})
    mirrored = machine.replicas > 1
    return training.model_copy(
        update={"strategy": "mirrored" if mirrored else "one_device", "tpu": None}
    )


def trainer_command(places: Places) -> list[str]:
    """Returns the command of the job.

    `--resume` makes the same command good for the first start, for one after the machine was
    taken back, and for one after the end.
    """
    command = ["python", "-m", "trainer", "--resume"]
    options = {
        "--config": places.config,
        "--data": places.data,
        "--transform-graph": places.transform_graph,
        "--output": places.output,
        "--log-dir": places.logs,
        "--checkpoint-dir": places.checkpoints,
        "--failure-file": places.failure,
        "--lease-dir": places.leases,
        "--warm-start": places.warm_start,
    }
    for option, value in options.items():
        command += [option, value] if value else []
    return command


def custom_job(
    settings: VertexTrainingSettings, places: Places, key: str
) -> aiplatform_v1.CustomJob:
    """Returns the request; jobs of the same work are found by `key`.

    Raises:
        UserError: When the machine is impossible.
    """
    machine = machine_of(settings)
    command = trainer_command(places)
    in_pod = machine.is_tpu and machine.hosts > 1
    container = aiplatform_v1.ContainerSpec(
        image_uri=check.image_of(settings),
        # Vertex's base image for pods starts its servers in its entry point, which a command
        # would replace.
        command=[] if in_pod else command[:1],
        args=command if in_pod else command[1:],
        env=[
            aiplatform_v1.EnvVar(name=name, value=value)
            for name, value in (_PJRT.items() if machine.kind == "tpu_v5e" else ())
        ],
    )

    def pool(replicas: int) -> aiplatform_v1.WorkerPoolSpec:
        return aiplatform_v1.WorkerPoolSpec(
            machine_spec=aiplatform_v1.MachineSpec(
                machine_type=settings.machine_type,
                accelerator_type=settings.accelerator_type,
                accelerator_count=settings.accelerator_count,
                tpu_topology=settings.tpu_topology,
            ),
            replica_count=replicas,
            container_spec=container,
            disk_spec=aiplatform_v1.DiskSpec(boot_disk_size_gb=settings.boot_disk_gb),
        )

    # The first pool is one machine, the chief; that of a pod slice stands for all of its hosts.
    pools = [pool(1)]
    if settings.hosts > 1:
        pools.append(pool(settings.hosts - 1))
    strategies = aiplatform_v1.Scheduling.Strategy
    return aiplatform_v1.CustomJob(
        display_name=f"hpatches-training-{key}",
        labels={**settings.labels, **_TASK_LABELS, KEY_LABEL: key},
        job_spec=aiplatform_v1.CustomJobSpec(
            worker_pool_specs=pools,
            scheduling=aiplatform_v1.Scheduling(
                timeout=duration_pb2.Duration(seconds=round(settings.timeout_hours * 3600)),
                restart_job_on_worker_restart=settings.restart,
                strategy=strategies.SPOT if settings.spot else strategies.STANDARD,
            ),
            service_account=settings.service_account,
            network=settings.network,
            base_output_directory=aiplatform_v1.GcsDestination(output_uri_prefix=places.base),
        ),
    )

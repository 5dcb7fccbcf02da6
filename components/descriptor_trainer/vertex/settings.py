"""What a training job on Vertex AI runs on. The names are those of Vertex's own API."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from trainer.core.settings import Settings

_LABEL = re.compile(r"[a-z0-9_-]{0,63}")


class VertexTrainingSettings(Settings):
    """The machine, the image and the terms of a job.

    Project, bucket and credentials are not among them: those belong to a run, not to a
    configuration. What is written here becomes part of a compiled pipeline.

    Attributes:
        image: Container image that runs `python -m trainer`; name it by digest
            (`...@sha256:...`), so that a job that is restarted runs the same code. None is
            refused when compiling.
        machine_type: `cloud-tpu` (TPU v2 and v3), `ct5lp-hightpu-1t`, `-4t` or `-8t` (TPU v5e),
            or a Compute Engine type such as `n1-standard-8`, `g2-standard-12`, `a2-highgpu-1g`.
        accelerator_type: `TPU_V2`, `TPU_V3` or a GPU such as `NVIDIA_L4`; none for TPU v5e,
            whose machine type says it, and for CPUs.
        accelerator_count: Cores of a TPU v2 or v3 (8, or of a slice, e.g. 32), or GPUs.
        hosts: Machines of this kind, each with its GPUs, that train together; of a TPU the topology
            or the number of cores says it.
        tpu_topology: Arrangement of the chips of a TPU v5e, e.g. `2x2`.
        image_for_pods: Says that the image is built on Vertex's base image for TPU pods,
            without which TensorFlow uses one host of a slice only.
        location: Region the job is meant for; a run in another one is refused.
        spot: Spare capacity: cheaper, and taken back at any time; not for slices of several hosts.
        restart: Start the job again, from its last checkpoint, when its machine was taken back;
            spare capacity needs it.
        timeout_hours: The job is stopped after so long.
        service_account: Account the job runs as; none: Vertex's own. It belongs to a run, too:
            `hpatches submit` fills it in.
        network: VPC network to be in, `projects/NUMBER/global/networks/NAME`; of a run, too.
        labels: On the job, for bills and lists.
        boot_disk_gb: Disk of the machine, which holds the packed patches.
        poll_seconds: Time between two looks at the job.
    """

    image: str | None = Field(default=None, pattern=r"^[^\s/]+(/[^\s/]+)+$")
    machine_type: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")
    accelerator_type: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]+$")
    accelerator_count: int = Field(default=0, ge=0, le=2048)
    hosts: int = Field(default=1, ge=1, le=100)
    tpu_topology: str | None = Field(default=None, pattern=r"^\d+(x\d+){1,2}$")
    image_for_pods: bool = False
    location: str | None = Field(default=None, pattern=r"^[a-z]+-[a-z]+\d+$")
    spot: bool = False
    restart: bool = True
    timeout_hours: float = Field(default=24.0, gt=0, le=168)
    service_account: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    network: str | None = Field(default=None, pattern=r"^projects/\d+/global/networks/[a-z0-9-]+$")
    labels: dict[str, str] = Field(default={})
    boot_disk_gb: int = Field(default=100, ge=100, le=64000)
    poll_seconds: float = Field(default=30.0, gt=0, le=600)

    @field_validator("labels")
    @classmethod
    def _are_labels(cls, labels: dict[str, str]) -> dict[str, str]:
        for text in (*labels, *labels.values()):
            if not _LABEL.fullmatch(text):
                raise ValueError(
                    f"{text!r} is no label; expected at most 63 lower-case letters, digits, _ and -"
                )
        if not all(key and key[0].isalpha() for key in labels):
            raise ValueError("the key of a label begins with a letter")
        return labels

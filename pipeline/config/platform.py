"""What a compiled pipeline asks of the platform that runs it: image, machines, training jobs.

Data, destinations, projects and buckets are not among it, apart from the images' addresses:
those are parameters of a run, so that one compiled file serves everybody and holds nothing that
is secret.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.core.names import TRAINER
from components.descriptor_trainer.vertex.settings import VertexTrainingSettings
from trainer.core.settings import Settings

TARGETS = ("kubeflow", "vertex")
"""Platforms that a pipeline is compiled for."""

TIMEOUT_HOURS = 24.0
"""What an attempt at a task may take unless the configuration says otherwise."""


class ResourceRequest(Settings):
    """What the container of a component gets.

    Attributes:
        cpu: Processor cores; None leaves it to the platform.
        memory: Gigabytes (10^9 bytes); None leaves it to the platform.
        accelerator: Kind of accelerator: on Vertex AI its own name, e.g. `NVIDIA_TESLA_T4`, on
            Kubeflow the name of the cluster's resource, e.g. `nvidia.com/gpu`.
        accelerator_count: Number of accelerators.
        timeout_hours: Longest time of one attempt; None: a day, for DescriptorTrainer with
            `platform.training` a day more than its job.
    """

    cpu: float | None = Field(default=None, gt=0)
    memory: float | None = Field(default=None, gt=0)
    accelerator: str | None = Field(default=None, min_length=1)
    accelerator_count: int = Field(default=1, ge=1)
    timeout_hours: float | None = Field(default=None, gt=0, le=720)


class PlatformSettings(Settings):
    """How the pipeline runs on Kubeflow and Vertex AI; `hpatches run` does not look at it.

    Attributes:
        image: Container image that holds the pipeline; `hpatches compile --image` comes first.
        resources: Requests by component, e.g. `DescriptorTrainer`.
        training: The job on Vertex AI that trains; None trains in the component's container.
    """

    image: str | None = None
    resources: dict[Annotated[str, Field(min_length=1)], ResourceRequest] = Field(
        default_factory=dict
    )
    training: VertexTrainingSettings | None = None

    @property
    def timeouts(self) -> dict[str, float]:
        """Hours that an attempt may take, by component, where it is not `TIMEOUT_HOURS`."""
        waits = {}
        if self.training is not None:  # in the queue, too
            waits[TRAINER] = self.training.timeout_hours + TIMEOUT_HOURS
        given = {name: request.timeout_hours for name, request in self.resources.items()}
        return waits | {name: hours for name, hours in given.items() if hours is not None}

    @model_validator(mode="after")
    def _one_place_to_train(self) -> PlatformSettings:
        asked = self.resources.get(TRAINER)
        if self.training is not None and asked is not None and asked.accelerator is not None:
            raise ValueError(
                "resources.DescriptorTrainer asks for an accelerator, but training runs as a job "
                "on a machine of its own; remove one of them"
            )
        return self

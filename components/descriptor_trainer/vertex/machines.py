"""What a job's machine is for TensorFlow: how many replicas on how many hosts.

Only what can be computed is checked. Which machine types, GPUs and sizes of slices exist, and in
which region, changes too often to be listed here: Vertex AI refuses a job that has none.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from components.descriptor_trainer.vertex.settings import VertexTrainingSettings
from trainer.core.errors import UserError

KEY = "platform.training"
_CLOUD_TPU = "cloud-tpu"
_CORES_PER_HOST = 8  # of TPU v2 and v3
_TPU_TYPES = ("TPU_V2", "TPU_V3")
_V5E = {
    "ct5lp-hightpu-1t": "1x1",
    "ct5lp-hightpu-4t": "2x2, or for a slice of several hosts another multiple of 4 chips",
    "ct5lp-hightpu-8t": "2x4",
}
_OTHER_TPU = re.compile(r"(ct|tpu)\d")  # v4, v5p, v6e, TPU7x
_WITH_SLICES = "ct5lp-hightpu-4t"  # the one machine of TPU v5e that has slices of several hosts


@dataclass(frozen=True)
class Machine:
    """A machine, or a slice of several, for TensorFlow.

    Attributes:
        kind: What it computes on; TPU v5e is reached otherwise than v2 and v3.
        replicas: Cores (TPU), GPUs or CPU hosts: a global batch is dealt out among them.
        hosts: Machines of the slice, or of the cluster.
    """

    kind: Literal["cpu", "gpu", "tpu", "tpu_v5e"]
    replicas: int = 1
    hosts: int = 1

    @property
    def is_tpu(self) -> bool:
        """Whether it is a TPU."""
        return self.kind.startswith("tpu")


def machine_of(settings: VertexTrainingSettings) -> Machine:
    """Returns what a job runs on.

    Raises:
        UserError: When the machine type, accelerator and topology do not go together.

    Example:
        >>> chips = {"machine_type": "ct5lp-hightpu-4t", "tpu_topology": "4x4"}
        >>> machine_of(VertexTrainingSettings(**chips))
        Machine(kind='tpu_v5e', replicas=16, hosts=4)
    """
    kind = settings.machine_type
    if settings.hosts > 1 and (kind == _CLOUD_TPU or kind.startswith("ct5lp-")):
        raise UserError(
            f"{KEY}.hosts: found {settings.hosts} with machine_type {kind}, a TPU; expected its "
            f"hosts in {'accelerator_count' if kind == _CLOUD_TPU else 'tpu_topology'} alone"
        )
    if kind.startswith("ct5lp-"):
        return _v5e(settings)
    if _OTHER_TPU.match(kind):
        raise UserError(
            f"{KEY}.machine_type: found {kind}, a TPU on which Vertex AI does not train with "
            f"TensorFlow; expected cloud-tpu (TPU v2, v3) or ct5lp-hightpu-1t, -4t, -8t (TPU v5e)"
        )
    if settings.tpu_topology is not None:
        raise UserError(
            f"{KEY}.tpu_topology: found {settings.tpu_topology} with machine_type {kind}, but "
            f"only ct5lp-hightpu-* has a topology; remove it"
            + ("; its size is accelerator_count" if kind == _CLOUD_TPU else "")
        )
    if kind == _CLOUD_TPU:
        return _v2_or_v3(settings)
    if (settings.accelerator_type or "").startswith("TPU"):
        raise UserError(
            f"{KEY}.accelerator_type: found {settings.accelerator_type} with machine_type {kind}; "
            f"expected machine_type cloud-tpu for it"
        )
    if (settings.accelerator_type is None) != (settings.accelerator_count == 0):
        raise UserError(
            f"{KEY}.accelerator_count: found {settings.accelerator_count} of "
            f"{settings.accelerator_type or 'no accelerator_type'}; name the GPU and how many of "
            f"it, or remove both"
        )
    hosts = settings.hosts
    if settings.accelerator_type:
        return Machine("gpu", settings.accelerator_count * hosts, hosts)
    return Machine("cpu", hosts, hosts)


def _v5e(settings: VertexTrainingSettings) -> Machine:
    kind, topology = settings.machine_type, settings.tpu_topology
    if kind not in _V5E:
        raise UserError(f"{KEY}.machine_type: found {kind}; expected one of {', '.join(_V5E)}")
    if settings.accelerator_type is not None or settings.accelerator_count:
        raise UserError(
            f"{KEY}.accelerator_type: found {settings.accelerator_type} "
            f"({settings.accelerator_count}) with machine_type {kind}, which says already that it "
            f"is a TPU v5e; remove accelerator_type and accelerator_count and set tpu_topology"
        )
    chips = math.prod(int(side) for side in topology.split("x")) if topology else 0
    hosts, left = divmod(chips, int(kind.removesuffix("t")[-1]))
    if left or not hosts or (hosts > 1 and kind != _WITH_SLICES):
        raise UserError(
            f"{KEY}.tpu_topology: found {topology or 'none'} with machine_type {kind}; expected "
            f"{_V5E[kind]}"
        )
    return Machine("tpu_v5e", chips, hosts)


def _v2_or_v3(settings: VertexTrainingSettings) -> Machine:
    kind, cores = settings.accelerator_type, settings.accelerator_count
    if kind not in _TPU_TYPES:
        raise UserError(
            f"{KEY}.accelerator_type: found {kind or 'none'} with machine_type cloud-tpu; "
            f"expected one of {', '.join(_TPU_TYPES)} (TPU v5e has machine types of its own: "
            f"{', '.join(_V5E)})"
        )
    hosts, left = divmod(cores, _CORES_PER_HOST)
    if left or not hosts:
        raise UserError(
            f"{KEY}.accelerator_count: found {cores} cores of {kind}; expected a multiple of "
            f"{_CORES_PER_HOST}"
        )
    return Machine("tpu", cores, hosts)

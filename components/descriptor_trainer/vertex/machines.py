"""Which machines Vertex AI trains on, and how many replicas they are for TensorFlow.

Sources, in Google Cloud's documentation: "Configure compute resources for serverless training"
and "Training with TPU accelerators" (of Vertex AI, in the edition of 2026 that calls it Agent
Platform) for the machines; "TPU types and zones" (of Cloud TPU) for the sizes of TPU v2 and v3;
"TPU regions and zones" (of Cloud TPU; North America as of 2026, the rest of 9 September 2025) for
the regions: one in which no zone has the TPU cannot offer it on Vertex either. These things change;
what is not listed is refused with a reference to this table, so that an addition is one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REGIONS_AS_OF = "2026 in North America, September 2025 elsewhere"
MACHINES_AS_OF = "2026"

Kind = Literal["cpu", "gpu", "tpu_v2", "tpu_v3", "tpu_v5e"]

CLOUD_TPU = "cloud-tpu"
TPU_TYPES: dict[str, Kind] = {"TPU_V2": "tpu_v2", "TPU_V3": "tpu_v3"}
# The sizes that exist, in cores.
TPU_CORES: dict[str, tuple[int, ...]] = {
    "TPU_V2": (8, 32, 128, 256, 512),
    "TPU_V3": (8, 32, 64, 128, 256, 512, 1024, 2048),
}
_CORES_PER_HOST = 8

# Hosts of a slice of TPU v5e by machine type and topology.
V5E_HOSTS: dict[str, dict[str, int]] = {
    "ct5lp-hightpu-1t": {"1x1": 1},
    "ct5lp-hightpu-4t": {
        "2x2": 1,
        "2x4": 2,
        "4x4": 4,
        "4x8": 8,
        "8x8": 16,
        "8x16": 32,
        "16x16": 64,
    },
    "ct5lp-hightpu-8t": {"2x4": 1},
}

# TPUs that TensorFlow cannot train on in Vertex, by the beginning of the machine type.
WITHOUT_TENSORFLOW = {
    "ct6e-": "TPU v6e",
    "ct5p-": "TPU v5p",
    "ct4p-": "TPU v4",
    "tpu7x-": "TPU7x",
}

# Regions with at least one zone that has the TPU; below, with a zone that has pod slices of it.
REGIONS: dict[Kind, frozenset[str]] = {
    "tpu_v2": frozenset({"us-central1", "europe-west4", "asia-east1"}),
    "tpu_v3": frozenset({"us-central1", "europe-west4"}),
    "tpu_v5e": frozenset(
        {
            "us-central1",
            "us-south1",
            "us-west1",
            "us-west4",
            "europe-west4",
            "asia-southeast1",
        }
    ),
}
POD_REGIONS: dict[Kind, frozenset[str]] = {
    "tpu_v2": frozenset({"us-central1", "europe-west4"}),
    "tpu_v3": frozenset({"europe-west4"}),
}

# GPUs that come with their machines: type and how many.
BUNDLED_GPUS: dict[str, tuple[str, int]] = {
    **{f"a2-highgpu-{count}g": ("NVIDIA_TESLA_A100", count) for count in (1, 2, 4, 8)},
    "a2-megagpu-16g": ("NVIDIA_TESLA_A100", 16),
    **{f"a2-ultragpu-{count}g": ("NVIDIA_A100_80GB", count) for count in (1, 2, 4, 8)},
    **{f"a3-highgpu-{count}g": ("NVIDIA_H100_80GB", count) for count in (1, 2, 4, 8)},
    "a3-megagpu-8g": ("NVIDIA_H100_MEGA_80GB", 8),
    "a3-ultragpu-8g": ("NVIDIA_H200_141GB", 8),
    "a4-highgpu-8g": ("NVIDIA_B200", 8),
    **{f"g2-standard-{size}": ("NVIDIA_L4", 1) for size in (4, 8, 12, 16, 32)},
    "g2-standard-24": ("NVIDIA_L4", 2),
    "g2-standard-48": ("NVIDIA_L4", 4),
    "g2-standard-96": ("NVIDIA_L4", 8),
}
# GPUs that are attached to N1 machines: how many are possible at all.
ATTACHED_GPUS: dict[str, tuple[int, ...]] = {
    "NVIDIA_TESLA_P4": (1, 2, 4),
    "NVIDIA_TESLA_P100": (1, 2, 4),
    "NVIDIA_TESLA_T4": (1, 2, 4),
    "NVIDIA_TESLA_V100": (1, 2, 4, 8),
}


@dataclass(frozen=True)
class Machine:
    """A machine, or a slice of several, for TensorFlow.

    Attributes:
        kind: What it computes on.
        replicas: Cores (TPU), GPUs, or 1: a global batch is dealt out among them.
        hosts: Machines of the slice.
    """

    kind: Kind
    replicas: int = 1
    hosts: int = 1

    @property
    def is_tpu(self) -> bool:
        """Whether it is a TPU."""
        return self.kind.startswith("tpu")


def cloud_tpu(accelerator_type: str, cores: int) -> Machine:
    """Returns the slice of TPU v2 or v3 with so many cores, two to a chip."""
    return Machine(TPU_TYPES[accelerator_type], cores, cores // _CORES_PER_HOST)


def tpu_v5e(machine_type: str, topology: str) -> Machine:
    """Returns the slice of TPU v5e of a topology; its chips have one core each.

    Example:
        >>> tpu_v5e("ct5lp-hightpu-4t", "4x4")
        Machine(kind='tpu_v5e', replicas=16, hosts=4)
    """
    width, height = (int(side) for side in topology.split("x"))
    return Machine("tpu_v5e", width * height, V5E_HOSTS[machine_type][topology])

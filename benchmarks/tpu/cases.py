"""What is compiled: the step of each loss, batches of both shapes, one core and four; inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

# By their names in docs/training.md, and the squared hinge, which is a choice of its own.
LOSSES: dict[str, dict[str, Any]] = {
    "hinge": {},
    "squared hinge": {"name": "squared_hinge"},
    "soft margin": {"name": "soft_margin", "margin": 0},
    "HardNet": {"mining": "hardnet"},
    "SOSNet": {"name": "squared_hinge", "mining": "hardnet", "second_order": 1},
    "HyNet": {"distance": "hybrid", "margin": 1.2, "mining": "hardnet", "norm_penalty": 0.1},
}


@dataclass(frozen=True)
class Case:
    """A program for a TPU.

    Attributes:
        chip: Name in `benchmarks.tpu.chips.CHIPS`.
        work: A step of the training, or a batch described.
        loss: Name in `LOSSES`.
        points: S of the whole batch.
        patches_per_point: K.
        width: Factor of the network's channels.
        cores: How many share the batch.
        resident: Patches that lie in each core's memory, of which a step is given the rows; 0: it
            is given the patches.

    Example:
        >>> Case("v5e", cores=4).key
        'v5e step hinge S 1024 K 2 width 0.25 on 4'
    """

    chip: str
    work: Literal["step", "inference"] = "step"
    loss: str = "hinge"
    points: int = 1024
    patches_per_point: int = 2
    width: float = 0.25
    cores: int = 1
    resident: int = 0

    @property
    def key(self) -> str:
        """Its place in the ledger."""
        return f"{self.chip} {self.what} {self.batch} width {self.width:g} on {self.cores}"

    @property
    def what(self) -> str:
        """The work, in words."""
        if self.work == "inference":
            return "inference"
        return f"step {self.loss}" + (f", {self.resident:,} patches there" if self.resident else "")

    @property
    def batch(self) -> str:
        """The shape of the batch, in words."""
        if self.work == "inference":
            return f"{self.points * self.patches_per_point} patches"
        return f"S {self.points} K {self.patches_per_point}"

    @property
    def loss_settings(self) -> dict[str, Any]:
        """Settings under `training.loss`."""
        return LOSSES[self.loss]


SMALL = Case("v5e", points=32)
CASES = (
    Case("v5e"),
    Case("v5e", resident=320_000),
    *(Case("v5e", loss=loss, cores=4) for loss in LOSSES),
    Case("v5e", points=128, patches_per_point=8, cores=4),
    Case("v5e", width=1, cores=4),
    *(Case(chip, cores=cores) for chip in ("v3", "v2") for cores in (1, 4)),
    *(Case("v5e", "inference", width=width) for width in (0.25, 1)),
    *(Case(chip, "inference") for chip in ("v3", "v2")),
)

"""Published figures of TPUs, and the roofline of a program on one.

Figures: Google Cloud's documentation, https://cloud.google.com/tpu/docs/v5e, /v3 and /v2.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """A kind of TPU; the figures are of one chip.

    Attributes:
        topology: Four chips as the compiler names them.
        cores: TensorCores, each with its share of all that follows.
        flops: bfloat16 operations a second at most.
        bandwidth: Bytes a second from and to its memory (HBM).
        memory: Bytes of HBM.
    """

    topology: str
    cores: int
    flops: float
    bandwidth: float
    memory: int

    def roofline(self, flops: float, traffic: float) -> Roofline:
        """Returns the bounds of a program on one core.

        Args:
            flops: Operations of the program.
            traffic: Bytes that it reads and writes.
        """
        return Roofline(flops * self.cores / self.flops, traffic * self.cores / self.bandwidth)


@dataclass(frozen=True)
class Roofline:
    """The two bounds on a program's time (Williams, Waterman, Patterson, CACM 2009), in seconds.

    Attributes:
        compute: Time of the operations at the chip's peak.
        traffic: Time of the bytes at the memory's bandwidth.

    Example:
        >>> Roofline(compute=1e-3, traffic=4e-3).seconds
        0.004
    """

    compute: float
    traffic: float

    @property
    def seconds(self) -> float:
        """The larger one: operations and traffic overlap at best."""
        return max(self.compute, self.traffic)

    @property
    def bound(self) -> str:
        """Which of the two it is."""
        return "compute" if self.compute >= self.traffic else "memory"


CHIPS = {
    "v5e": Chip("v5e:2x2", 1, 197e12, 819e9, 16 * 2**30),
    "v3": Chip("v3:2x2", 2, 123e12, 900e9, 32 * 2**30),
    "v2": Chip("v2:2x2", 2, 46e12, 700e9, 16 * 2**30),
}

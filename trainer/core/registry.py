"""Losses and miners by name: a new one is one file and one line here (`docs/extending.md`).

Functions are named as `module:function`, not imported: settings are checked without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator


@dataclass(frozen=True)
class LossEntry:
    """A loss.

    Attributes:
        place: `module:function`. The function is (violation: tf.Tensor) -> tf.Tensor, elementwise
            and increasing, of margin + positive distance - negative distance.
        needs_margin: Whether the margin must be above 0: the loss of a collapsed network, whose
            distances are all 0, would otherwise be the least possible.
    """

    place: str
    needs_margin: bool = True


@dataclass(frozen=True)
class MinerEntry:
    """A way of choosing triplets.

    Attributes:
        place: `module:function`. The function is (descriptors, patches_per_point, candidates,
            offset, config) -> `trainer.losses.mining.Triplets` (see `trainer.losses.batch_hard`).
        pairs: Whether it takes exactly two patches of each point and returns one triplet per
            pair; otherwise it returns one per patch.
    """

    place: str
    pairs: bool = False


LOSSES: dict[str, LossEntry] = {
    "hinge": LossEntry("trainer.losses.hinge:cost"),
    "squared_hinge": LossEntry("trainer.losses.squared_hinge:cost"),
    "soft_margin": LossEntry("trainer.losses.soft_margin:cost", needs_margin=False),
}
MINERS: dict[str, MinerEntry] = {
    "batch_hard": MinerEntry("trainer.losses.batch_hard:mine"),
    "hardnet": MinerEntry("trainer.losses.hardnet:mine", pairs=True),
}


def _one_of(registry: Mapping[str, Any]) -> Callable[[str], str]:
    def check(name: str) -> str:
        if name not in registry:
            raise ValueError(f"expected one of {', '.join(registry)}")
        return name

    return check


LossName = Annotated[str, AfterValidator(_one_of(LOSSES))]
MinerName = Annotated[str, AfterValidator(_one_of(MINERS))]

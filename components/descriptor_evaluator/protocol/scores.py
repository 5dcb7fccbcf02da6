"""The result of a task as rows, one per unit that was scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

POOL = "ap@"  # starts the names of retrieval's metrics per pool size
MAIN_METRIC = "ap"
TIE_SAFE = "_tie_safe"  # ends the names of metrics that count ties against the descriptors
SAFE_METRIC = f"{MAIN_METRIC}{TIE_SAFE}"


@dataclass(frozen=True)
class UnitScore:
    """What one unit scored; the unit is what the headline mean averages over.

    Attributes:
        task: `matching` (unit: reference and target image), `retrieval` (unit: query) or
            `verification` (unit: pair set).
        noise: `e`, `h` or `t`.
        kind: `i`, `v` or `u`; `u` for verification, whose pairs cross sequences.
        sequence: Image sequence; empty for verification.
        scene: Scene of the sequence; empty for verification.
        unit: Name of the unit: the target image `1`..`5`, the query's index within its
            sequence, or the pair set `inter` or `intra`.
        metrics: Values by name, as fractions. Every task has `ap`; matching adds
            `success_rate`, retrieval `ap@100` and so on per pool size, verification `auc`.
            Beside each stands its tie-safe value, e.g. `ap_tie_safe` (ties counted against
            the descriptors). NaN stands where the reference evaluator finds nothing to score.
        without: Verification only: `ap` without the pairs of a scene, by scene. The other
            tasks' rows belong to one scene each.
    """

    task: str
    noise: str
    kind: str
    sequence: str
    scene: str
    unit: str
    metrics: Mapping[str, float]
    without: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Slice:
    """A part of the unit scores; an empty string means all.

    Attributes:
        task: `verification`, `matching` or `retrieval`.
        noise: `e`, `h` or `t`.
        kind: `i` or `v`.
    """

    task: str = ""
    noise: str = ""
    kind: str = ""


ALL = Slice()

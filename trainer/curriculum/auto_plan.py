"""`stages: auto`: a plan made for the data, the memory and the device of a run.

Its last stage is the tuned one (`trainer.core.config.demo_plan`): two patches of each point and
a rate that falls to zero, after as many patches per point as were found worth their
time. What changes is how many steps the data are worth and how large a batch they and the
device can fill. A batch that is larger than the tuned one is grown to, from smaller ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from trainer.core.config import StageConfig, TrainerConfig
from trainer.core.errors import UserError
from trainer.core.variants import NOISES

DeviceKind = Literal["cpu", "gpu", "tpu"]
LEAST = 8  # points of the smallest batch that has negatives worth mining

_UNIT = 8  # S is a multiple of it where the data allow
_PATCHES_PER_POINT = 2  # K; what losses of pairs need, and the others learn most from
_EASY_RATE, _RATE = 1e-2, 2e-2
_TUNED = 2048  # patches of the batch that is taken from the first step, without collapse
_EASY_SHARE = 1 / 8  # of the main stage's steps, for each stage before it
_EASY_STEPS = (50, 1000)  # bounds of the same
_STEPS = (100, 60000)  # bounds of the main stage
_AIMED_STEPS = 200  # the batch stays so small that the data last for them
_FULL = 256  # patches of a batch that is not made smaller for that
_DATA_SHARE = 0.5  # of the largest batch: otherwise every batch holds the same points
_LOOKS = 500  # patches seen of each point, over the main stage
_GROWTH = 4  # S grows by more than this over one stage in between
_EASY_MOST = 128  # S of the easy stage at most


@dataclass(frozen=True)
class _Scale:
    """What a kind of device is good for.

    Attributes:
        batch: Patches of a batch at most. A CPU gains nothing from larger ones; on an
            accelerator small ones leave it idle.
        patches: Patches seen over the main stage at most: half an hour of a core,
            hours of an accelerator.
        memory: Share of the memory that activations may take.
    """

    batch: int
    patches: int
    memory: float


_SCALES: dict[DeviceKind, _Scale] = {
    "cpu": _Scale(batch=2048, patches=3_600_000, memory=0.5),
    "gpu": _Scale(batch=4096, patches=60_000_000, memory=0.6),
    "tpu": _Scale(batch=4096, patches=60_000_000, memory=0.6),
}


@dataclass(frozen=True)
class Resources:
    """What a plan is made for.

    Attributes:
        points: Points of the train split.
        largest_batch: Most of them that a batch can hold.
        patch_bytes: Memory that a training step takes for each patch of its batch.
        memory: Bytes of one replica's memory.
        device: Kind of the replicas' device.
        replicas: Replicas that share a batch.
    """

    points: int
    largest_batch: int
    patch_bytes: int
    memory: int
    device: DeviceKind = "cpu"
    replicas: int = 1


def resolve(config: TrainerConfig, resources: Resources) -> TrainerConfig:
    """Returns the configuration with a plan in place of `auto`; one with a plan as it is.

    Raises:
        UserError: When there is too little data for any plan.
    """
    if config.stages != "auto":
        return config
    return config.model_copy(update={"stages": plan(resources)})


def plan(resources: Resources, noises: tuple[str, ...] = NOISES) -> tuple[StageConfig, ...]:
    """Makes a plan: the main stage, after easier ones where its batch is large.

    Args:
        resources: Data, memory and device.
        noises: Levels the patches come from.

    Raises:
        UserError: When the data, or the memory, do not suffice for the smallest batch.

    Example:
        >>> resources = Resources(5942, 2758, patch_bytes=300_000, memory=8 * 2**30)
        >>> [(s.points_per_batch, s.patches_per_point, s.max_steps) for s in plan(resources)]
        [(1024, 2, 1450)]
    """
    scale = _SCALES[resources.device]
    patches = min(_LOOKS * resources.points, scale.patches)
    worth = max(_FULL, patches // _AIMED_STEPS)
    most = _largest(resources, scale)
    main = _rounded(min(most, min(worth, scale.batch) // _PATCHES_PER_POINT), resources.replicas)
    steps = _within(_STEPS, _round_steps(patches / (main * _PATCHES_PER_POINT)))
    before = _within(_EASY_STEPS, _round_steps(steps * _EASY_SHARE))
    growing = {"learning_rate": _EASY_RATE, "noises": noises, "min_steps": before // 3}
    stages = []
    if main * _PATCHES_PER_POINT > _TUNED:
        easy = _rounded(min(main, _EASY_MOST), resources.replicas)
        if easy < main:
            stages.append(_stage(easy, before, promote_below=0.9, **growing))
        if main > _GROWTH * easy:
            between = _rounded(main // _GROWTH, resources.replicas)
            stages.append(_stage(between, before, **growing))
    last = {"learning_rate": _RATE, "noises": noises, "schedule": "linear"}
    return (*stages, _stage(main, steps, **last))


def check_size(largest_batch: int, replicas: int = 1) -> None:
    """Refuses data that fill no batch worth training on.

    Args:
        largest_batch: Most points that a batch can hold.
        replicas: Replicas that share a batch.

    Raises:
        UserError: When they do not suffice for the smallest batch.
    """
    least = _least(replicas)
    if largest_batch < least:
        raise UserError(
            f"stages is auto, but the training data fill batches of at most {largest_batch} points "
            f"(one image sequence of a scene per batch), expected at least {least}; "
            f"add data"
        )


def _largest(resources: Resources, scale: _Scale) -> int:
    """Returns the largest S that data and memory allow."""
    check_size(resources.largest_batch, resources.replicas)
    least = _least(resources.replicas)
    room = int(scale.memory * resources.memory) * resources.replicas
    by_memory = room // (resources.patch_bytes * _PATCHES_PER_POINT)
    if by_memory < least:
        raise UserError(
            f"stages is auto, but {resources.memory / 2**20:,.0f} MiB of memory hold a batch of "
            f"{by_memory} points, expected at least {least}; lower model.width or give "
            f"the run more memory"
        )
    return max(least, min(by_memory, int(_DATA_SHARE * resources.largest_batch)))


def _least(replicas: int) -> int:
    return math.ceil(LEAST / replicas) * replicas


def _rounded(points: int, replicas: int) -> int:
    """Rounds S down to what replicas share and devices like; every replica gets some."""
    unit = math.lcm(_UNIT, replicas)
    if points < unit:
        unit = replicas
    return max(unit, points // unit * unit)


def _round_steps(steps: float) -> int:
    """Rounds to two digits or so: a plan is an estimate, and is read by people."""
    unit = 10 if steps < 500 else 50 if steps < 5000 else 500
    return round(steps / unit) * unit


def _within(bounds: tuple[int, int], value: int) -> int:
    return min(max(value, bounds[0]), bounds[1])


def _stage(points: int, steps: int, **settings: Any) -> StageConfig:
    return StageConfig(
        points_per_batch=points,
        patches_per_point=_PATCHES_PER_POINT,
        warm_up_steps=min(20, steps // 5),
        max_steps=steps,
        **settings,
    )

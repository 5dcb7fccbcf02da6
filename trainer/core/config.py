"""What a training run is told: one tree of frozen settings, impossible values refused."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from trainer.core import registry
from trainer.core.settings import Settings
from trainer.core.validation_messages import PLAN
from trainer.core.variants import NOISES, TARGETS, VARIANTS, Noise

FinalNormalisation = Literal["none", "l2", "batch_norm", "batch_norm_l2"]


class ModelConfig(Settings):
    """The network (`trainer.model.l2net`).

    Attributes:
        network: `strided` halves the resolution at once and is wider, which learns more per
            minute of a processor; `l2net` is L2-Net (Tian et al., CVPR 2017) as HardNet
            (Mishchuk et al., 2017) uses it.
        width: Factor for the numbers of channels, 32-32-64-64-128-128 of `l2net`,
            128-128-256-256 of `strided`.
        dimension: Length of the descriptor.
        final_normalisation: Layers after the last convolution. A batch norm without scale
            and shift pins the variance of every dimension, so that the descriptors cannot
            shrink to a point.
        dropout: Fraction of the last feature map that is dropped in training; must be 0
            where replicas are to equal one device.
        normalise: `patch`: each patch by its own mean and deviation; `dataset`: all by the
            mean and deviation of the training pixels.
    """

    network: Literal["strided", "l2net"] = "strided"
    width: float = Field(default=0.25, gt=0, le=8)
    dimension: Literal[64, 128, 256] = 128
    final_normalisation: FinalNormalisation = "batch_norm_l2"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    normalise: Literal["patch", "dataset"] = "patch"


class LossConfig(Settings):
    """The loss, put together (`trainer.losses`).

    Attributes:
        name: Cost of a triplet (`trainer.core.registry.LOSSES`), as a function of
            x = margin + p - n for the distances p to the positive and n to the negative:
            `hinge` max(0, x), `squared_hinge` its square, `soft_margin` ln(1 + exp(x)).
        distance: `euclidean` d, `squared` d^2, or `hybrid` d + alpha d^2 / 2 (HyNet).
        hybrid_alpha: Weight of the squared term of the hybrid distance.
        margin: Margin in units of the distance; may be 0 for the soft margin.
        mining: Miner (`trainer.core.registry.MINERS`). `batch_hard`: farthest positive and
            nearest negative of every patch; `hardnet`: one triplet per pair, negatives between
            anchors and positives only.
        anchor_swap: Whether the negative may be the one nearest to the positive (`hardnet` only).
        second_order: Weight of SOSNet's regulariser of distances to neighbours; 0: none.
        second_order_neighbours: Number of neighbours of each patch in that regulariser.
        norm_penalty: Weight of HyNet's penalty on the difference of a pair's lengths before
            L2; 0: none.
    """

    name: registry.LossName = "hinge"
    distance: Literal["euclidean", "squared", "hybrid"] = "euclidean"
    hybrid_alpha: float = Field(default=2.0, gt=0, le=100)
    margin: float = Field(default=1.0, ge=0, le=100)
    mining: registry.MinerName = "batch_hard"
    anchor_swap: bool = True
    second_order: float = Field(default=0.0, ge=0, le=1000)
    second_order_neighbours: int = Field(default=8, ge=1, le=1024)
    norm_penalty: float = Field(default=0.0, ge=0, le=1000)

    @property
    def of_pairs(self) -> str:
        """The first setting that needs exactly two patches of each point; empty: none does."""
        if registry.MINERS[self.mining].pairs:
            return f"mining {self.mining}"
        return "second_order" if self.second_order else "norm_penalty" if self.norm_penalty else ""

    @model_validator(mode="after")
    def _hinge_needs_a_margin(self) -> LossConfig:
        if registry.LOSSES[self.name].needs_margin and self.margin == 0:
            raise ValueError(f"margin is 0, but {self.name} without a margin is 0 at collapse")
        return self


class StageConfig(Settings):
    """One stage of the plan.

    Attributes:
        points_per_batch: S, number of points in a (global) batch.
        patches_per_point: K, number of patches drawn of each point.
        learning_rate: Adam's rate at the stage's first step.
        schedule: `constant`, or `linear` from `learning_rate` to 0 at `max_steps`.
        warm_up_steps: Steps over which the rate climbs linearly to its schedule.
        noises: Noise levels the patches come from; the reference is always among them.
        same_sequence_fraction: Fraction of a batch's points that come from one image sequence
            (harder negatives), another one each batch.
        min_steps: Number of steps before which there is no promotion.
        max_steps: Number of steps after which the stage ends.
        promote_below: Smoothed normalized loss, (L - floor) / (L* - floor), below which the
            stage is left; None: only by the probe of the next stage, plateau or `max_steps`.
    """

    points_per_batch: int = Field(default=128, ge=2, le=65536)
    patches_per_point: int = Field(default=4, ge=2, le=len(VARIANTS))
    learning_rate: float = Field(default=1e-2, gt=0, le=10)
    schedule: Literal["constant", "linear"] = "constant"
    warm_up_steps: int = Field(default=0, ge=0)
    noises: tuple[Noise, ...] = Field(default=NOISES, min_length=1)
    same_sequence_fraction: float = Field(default=0.0, ge=0, le=1)
    min_steps: int = Field(default=1, ge=1)
    max_steps: int = Field(default=1000, ge=1)
    promote_below: float | None = Field(default=None, gt=0, le=1)

    @property
    def batch(self) -> int:
        """Patches in a global batch."""
        return self.points_per_batch * self.patches_per_point

    @property
    def in_words(self) -> str:
        """What matters of it, for people."""
        return (
            f"S{self.points_per_batch} K{self.patches_per_point} "
            f"rate {self.learning_rate:g} steps {self.max_steps}"
        )

    @model_validator(mode="after")
    def _fits_together(self) -> StageConfig:
        if len(set(self.noises)) != len(self.noises):
            raise ValueError(f"noises {self.noises} name a noise level twice")
        available = 1 + TARGETS * len(self.noises)
        if self.patches_per_point > available:
            raise ValueError(
                f"patches_per_point is {self.patches_per_point}, but the noises "
                f"{'+'.join(self.noises)} and the reference offer only {available}"
            )
        if self.min_steps > self.max_steps:
            raise ValueError(f"min_steps {self.min_steps} is above max_steps {self.max_steps}")
        return self


class ControllerConfig(Settings):
    """When the controller promotes, rolls back and gives up (`trainer.curriculum.stages`).

    Attributes:
        enabled: Off: the plan is run through by its maximum steps alone, nothing is rolled
            back (for comparisons); only a loss that is not finite still ends the run.
        smoothing: Weight of the old value in the running mean of the loss, per observation.
        promote_probe_below: Normalized loss on a probe batch of the next stage's shape below
            which the stage is left.
        plateau_steps: Steps without improvement of the smoothed loss after which the stage is
            left.
        patience: Number of observations with the signs of an onset that make a collapse.
        max_rollbacks: Number of rollbacks after which the run gives up.
        max_cpu_minutes: Processor time of the run in minutes; None for no limit. Where a machine
            is too slow for the plan, its stages are shortened in proportion.
    """

    enabled: bool = True
    smoothing: float = Field(default=0.8, ge=0, lt=1)
    promote_probe_below: float = Field(default=0.98, gt=0, le=1)
    plateau_steps: int = Field(default=300, ge=1)
    patience: int = Field(default=3, ge=1)
    max_rollbacks: int = Field(default=4, ge=0)
    max_cpu_minutes: float | None = Field(default=None, gt=0)


class ValidationConfig(Settings):
    """How the checkpoint to export is chosen on the `val` split.

    Attributes:
        every_steps: Steps between two validations; the end of a stage validates too.
        points_per_sequence: Maximum number of points of each image sequence, evenly spread.
        max_points: Maximum number of points in all.
    """

    every_steps: int = Field(default=200, ge=1)
    points_per_sequence: int = Field(default=150, ge=2)
    max_points: int = Field(default=600, ge=2)


class JitterConfig(Settings):
    """Small changes of every patch on its own, drawn anew each time it is seen.

    Attributes:
        rotation_degrees: Maximum rotation either way, in degrees.
        log_scale: Maximum natural logarithm of the scale factor, either way.
        shift_pixels: Maximum shift along each axis, in pixels of the 32 x 32 patch.
    """

    rotation_degrees: float = Field(default=0.0, ge=0, le=45)
    log_scale: float = Field(default=0.0, ge=0, le=0.7)
    shift_pixels: float = Field(default=0.0, ge=0, le=8)

    @property
    def enabled(self) -> bool:
        """Whether anything is to be changed."""
        return max(self.rotation_degrees, self.log_scale, self.shift_pixels) > 0


def demo_plan() -> tuple[StageConfig, ...]:
    """Returns the plan of the demo: one stage, the hard batch until the budget ends.

    The best of the plans that were tried (`python -m benchmarks.training.quality`); with the
    default network, growing the batch from an easier one was no better at equal patches.
    The controller stands guard. 653,312 patches, about two and a half minutes of one recent
    CPU core.
    """
    return (
        StageConfig(
            points_per_batch=1024,
            patches_per_point=2,
            learning_rate=2e-2,
            schedule="linear",
            warm_up_steps=20,
            max_steps=319,
        ),
    )


def _branch(value: Any) -> str | None:
    """Chooses by the value: a plain union would tell a wrong key also as "not `auto`"."""
    if isinstance(value, str):
        return value if value == "auto" else None
    return PLAN


_PlanOrAuto = Annotated[
    Annotated[tuple[StageConfig, ...], Field(min_length=1), Tag(PLAN)]
    | Annotated[Literal["auto"], Tag("auto")],
    Discriminator(
        _branch, custom_error_type="stages", custom_error_message="Input should be 'auto' or a list"
    ),
]


class TrainerConfig(Settings):
    """A whole training run.

    Attributes:
        seed: Seed of the weights, the sampler and the augmentation.
        stages: The plan; see `StageConfig`. `auto` makes one for the data, the memory and
            the device (`trainer.curriculum.auto_plan`).
        allow_shrinking_stages: A plan whose batch shrinks is refused unless this says that
            it is meant.
        augment: 8-way flips and quarter turns, the same for all patches of a point.
        jitter: Small rotation, scale and shift of each patch on its own; none by default.
        clip_norm: Maximum global norm of the gradients; None: no clipping.
        strategy: Where it runs; `auto` takes a TPU (`tpu`, or the one that the machine offers:
            `trainer.engine.strategy.offered_tpu`), the hosts of `TF_CONFIG`, several GPUs or one
            device, in that order.
        tpu: Name of the TPU, `local` on a TPU VM, `environment` where TPU_NAME or TPU_CONFIG
            names it; only with the strategies `tpu` and `auto`.
        bfloat16: Convolutions in bfloat16; weights, distances and loss stay float32.
        jit_compile: `auto` compiles with XLA on accelerators with one replica.
        steps_per_loop: Steps inside one call of the compiled function; also the distance of
            two observations of the controller.
        checkpoint_every: Steps between checkpoints on disk, from which a run that was killed
            goes on; the end of a stage writes one too; 0: none.
        deterministic: Operations that give the same bits on every run of the same machine,
            which some do not by default; slower, and it holds for the rest of the process.
        threads: Number of CPU threads per operation; 0: TensorFlow's choice.

    Example:
        >>> TrainerConfig(loss={"name": "soft_margin", "margin": 0}).loss.name
        'soft_margin'
    """

    seed: int = Field(default=1, ge=0, lt=2**31)
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    stages: _PlanOrAuto = demo_plan()
    allow_shrinking_stages: bool = False
    controller: ControllerConfig = ControllerConfig()
    validation: ValidationConfig = ValidationConfig()
    augment: bool = True
    jitter: JitterConfig = JitterConfig()
    clip_norm: float | None = Field(default=None, gt=0)
    strategy: Literal["auto", "one_device", "mirrored", "tpu"] = "auto"
    tpu: str | None = Field(default=None, min_length=1)
    bfloat16: bool = False
    jit_compile: Literal["auto", "on", "off"] = "auto"
    steps_per_loop: int = Field(default=10, ge=1, le=10000)
    checkpoint_every: int = Field(default=100, ge=0)
    deterministic: bool = False
    threads: int = Field(default=0, ge=0, le=1024)

    @property
    def plan(self) -> tuple[StageConfig, ...]:
        """The stages, once `auto` is resolved.

        Raises:
            ValueError: When it is not.
        """
        if self.stages == "auto":
            raise ValueError(
                "stages is auto, which trainer.curriculum.auto_plan has not resolved yet"
            )
        return self.stages

    @model_validator(mode="after")
    def _tpu_is_of_use(self) -> TrainerConfig:
        if self.tpu is not None and self.strategy not in ("tpu", "auto"):
            raise ValueError(
                f"tpu is {self.tpu!r}, but strategy {self.strategy} takes no TPU; set strategy to "
                f"tpu or auto, or leave tpu out"
            )
        return self

    @model_validator(mode="after")
    def _loss_fits(self) -> TrainerConfig:
        final = self.model.final_normalisation
        if self.loss.norm_penalty and not final.endswith("l2"):
            raise ValueError(
                f"loss.norm_penalty is on lengths before L2, but model.final_normalisation is "
                f"{final}; set it to l2 or batch_norm_l2, or norm_penalty to 0"
            )
        if not self.loss.of_pairs:
            return self
        wanted = f"loss.{self.loss.of_pairs} works on pairs, but"
        if self.stages == "auto":
            return self  # makes pairs for such a loss
        for number, stage in enumerate(self.stages):
            if stage.patches_per_point != 2:
                raise ValueError(
                    f"{wanted} stages.{number}.patches_per_point is "
                    f"{stage.patches_per_point}; set it to 2"
                )
        return self

    @model_validator(mode="after")
    def _batches_grow(self) -> TrainerConfig:
        if self.allow_shrinking_stages or self.stages == "auto":
            return self
        for number, (stage, following) in enumerate(itertools.pairwise(self.stages)):
            if following.batch < stage.batch:
                raise ValueError(
                    f"stage {number + 2} has a smaller batch ({following.batch} patches) than "
                    f"stage {number + 1} ({stage.batch}); set allow_shrinking_stages if that is "
                    f"meant"
                )
        return self

"""Settings of the evaluation and of the gate.

Every threshold is a fraction (0.01 is 1 mAP point), as in the evaluation's JSON.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.core.names import (
    CANDIDATE,
    MATCHING,
    PRODUCTION,
    RETRIEVAL,
    ROOTSIFT,
    ROOTSIFT_SMOOTHED,
    TASK_NAMES,
    VERIFICATION,
    TaskName,
)
from components.descriptor_evaluator.descriptors.handcrafted import BASELINES
from components.descriptor_evaluator.protocol.metrics import METRICS
from components.descriptor_evaluator.protocol.scores import TIE_SAFE
from components.descriptor_evaluator.protocol.tasks import POOL_SIZES, TaskSettings
from trainer.core.settings import Settings
from trainer.core.variants import Noise

# A handcrafted descriptor or a reference; EvaluationSettings checks which there are.
BaselineName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Kind = Literal["i", "v"]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Difference = Annotated[float, Field(ge=-1.0, le=1.0)]
Delta = Annotated[float, Field(ge=0.0, le=0.2)]

MIN_SCENES = 10  # scenes below which a lower bound refuses for want of evidence
ROUNDING = 1e-12  # two means that should be exactly a threshold apart are not, in float64
_ROLES = (CANDIDATE, PRODUCTION)
_NO_KIND = "verification pairs cross sequences and have no kind"


def metric_names(task: str) -> list[str]:
    """Returns the metrics of a task's unit scores, without their tie-safe values.

    Example:
        >>> metric_names("matching")
        ['ap', 'success_rate']
    """
    names = list(METRICS[task])
    if task == RETRIEVAL:
        names += [f"{name}@{size}" for name in METRICS[task] for size in POOL_SIZES]
    return names


class Floor(Settings):
    """An absolute threshold: a mean that must be reached whatever else is true.

    Attributes:
        task: Task whose rows are averaged.
        metric: A metric of the task's unit scores, e.g. `success_rate` (matching), `auc`
            (verification), `ap@100` (retrieval); without it, the gate's own `metric`. Where
            that is tie-safe, the tie-safe value of the one named here is taken.
        noise: Only this noise level; without it, all three.
        kind: Only `i_` or only `v_` sequences; without it, both.
        at_least: Smallest mean that passes.
    """

    task: TaskName
    metric: str | None = None
    noise: Noise | None = None
    kind: Kind | None = None
    at_least: Fraction

    @model_validator(mode="after")
    def _known(self) -> Floor:
        known = metric_names(self.task)
        if self.metric is not None and self.metric.removesuffix(TIE_SAFE) not in known:
            raise ValueError(
                f"{self.task} has no metric {self.metric!r}, expected one of {', '.join(known)} "
                f"(or the tie-safe value, e.g. {known[0]}{TIE_SAFE})"
            )
        if self.task == VERIFICATION and self.kind:
            raise ValueError(f"{_NO_KIND}; leave `kind` out")
        return self


class BaselineSlice(Settings):
    """A margin over a baseline on a part of the data.

    Attributes:
        over: The baseline; without it, the better of the rule's `names`.
        task: Only this task; without it, each of the rule's `tasks`.
        noise: Only this noise level; without it, all three.
        kind: Only `i_` or only `v_` sequences; without it, both.
        margin: Smallest difference candidate - baseline that passes.
    """

    over: BaselineName | None = None
    task: TaskName | None = None
    noise: Noise | None = None
    kind: Kind | None = None
    margin: Difference


class BaselineRule(Settings):
    """How far the candidate must be above the better of some other descriptors.

    Attributes:
        names: Handcrafted descriptors, or `references` of the evaluation; the better one counts,
            on every slice anew.
        tasks: Tasks that are compared.
        margins: Smallest difference that passes: for the `mean` over the noise levels and
            for single levels. By default the mean may not be below the baseline and easy
            may be at most 1 mAP below.
        slices: More margins, for parts by noise level and kind or over one baseline.

    Example:
        >>> rule = BaselineRule(slices=[{"over": "pixels", "kind": "v", "margin": 0.1}])
        >>> rule.compared
        ('rootsift', 'rootsift-smoothed', 'pixels')
    """

    names: Annotated[tuple[BaselineName, ...], Field(min_length=1)] = (
        ROOTSIFT,
        ROOTSIFT_SMOOTHED,
    )
    tasks: Annotated[tuple[TaskName, ...], Field(min_length=1)] = (MATCHING, RETRIEVAL)
    margins: Annotated[dict[Literal["mean", "e", "h", "t"], Difference], Field(min_length=1)] = (
        Field(default={"mean": 0.0, "e": -0.01})
    )
    slices: tuple[BaselineSlice, ...] = ()

    @property
    def compared(self) -> tuple[str, ...]:
        """All baselines that have to be scored."""
        single = (part.over for part in self.slices if part.over is not None)
        return tuple(dict.fromkeys((*self.names, *single)))

    @property
    def tasks_used(self) -> tuple[TaskName, ...]:
        """All tasks that have to be scored."""
        return tuple(dict.fromkeys((*self.tasks, *(p.task for p in self.slices if p.task))))

    @model_validator(mode="after")
    def _known(self) -> BaselineRule:
        for part in self.slices:
            if part.kind and VERIFICATION in ((part.task,) if part.task else self.tasks):
                raise ValueError(f"{_NO_KIND}; give the slice another task or no kind")
        return self


class GuardedSlice(Settings):
    """A part of the data that must not get worse than in production.

    Attributes:
        noise: Only this noise level; without it, all three.
        kind: Only `i_` or only `v_` sequences; without it, both.
        delta: Loss that is still called "not worse" here; without it, the rule's.
    """

    noise: Noise | None = None
    kind: Kind | None = None
    delta: Delta | None = None


class ProductionRule(Settings):
    """What "not worse than production" means.

    Attributes:
        mode: `lower_bound`: the one-sided lower bound of candidate - production, paired
            over scenes, must be above -delta; it needs 10 scenes. `point`: the means
            are compared. In both modes the difference of the means must not be below
            -delta, and the candidate must not be significantly worse.
        delta: Loss that is still called "not worse".
        tasks: Tasks that are compared.
        slices: Parts that are guarded, each on its own.
        best_pushed: Whether the means must not be below the best model ever pushed by more
            than `delta` either; models that a rollback took out of service do not count.
    """

    mode: Literal["lower_bound", "point"] = "lower_bound"
    delta: Delta = 0.01
    tasks: Annotated[tuple[TaskName, ...], Field(min_length=1)] = (MATCHING, RETRIEVAL)
    slices: Annotated[tuple[GuardedSlice, ...], Field(min_length=1)] = (GuardedSlice(),)
    best_pushed: bool = True

    @model_validator(mode="after")
    def _known(self) -> ProductionRule:
        if VERIFICATION in self.tasks and any(part.kind for part in self.slices):
            raise ValueError(f"{_NO_KIND}; guard kinds of other tasks")
        return self


class GateSettings(Settings):
    """When a model may go to production.

    Attributes:
        floors: Absolute thresholds.
        baseline: Comparison with handcrafted descriptors; null leaves it out.
        production: Comparison with the model in production.
        metric: Average precision that is compared: `ap_tie_safe` counts ties against the
            model, so that equal descriptors gain nothing, here and in every metric that a
            floor names; `ap` is the reference's.
    """

    floors: tuple[Floor, ...] = ()
    baseline: BaselineRule | None = BaselineRule()
    production: ProductionRule = ProductionRule()
    metric: Literal["ap", "ap_tie_safe"] = "ap_tie_safe"

    def metric_of(self, floor: Floor) -> str:
        """Returns the metric of unit scores that a floor looks at.

        Example:
            >>> floor = Floor(task="retrieval", metric="ap@100", at_least=0.3)
            >>> GateSettings().metric_of(floor)
            'ap@100_tie_safe'
        """
        if floor.metric is None or not self.metric.endswith(TIE_SAFE):
            return floor.metric or self.metric
        return f"{floor.metric.removesuffix(TIE_SAFE)}{TIE_SAFE}"

    @model_validator(mode="after")
    def _can_refuse(self) -> GateSettings:
        if not self.floors and self.baseline is None:
            raise ValueError(
                "the gate has neither a floor nor a baseline, so the first model would pass "
                "unseen; give `floors` at least one entry or set `baseline`"
            )
        return self


class Reference(Settings):
    """A descriptor of the user's own that candidates are compared with.

    Attributes:
        model: Folder of a SavedModel with our serving signature.
        descriptors: Descriptors of the held-out image sequences as HPatches' CSV tree.
    """

    model: str | None = Field(default=None, min_length=1)
    descriptors: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one(self) -> Reference:
        if (self.model is None) == (self.descriptors is None):
            raise ValueError("expected either `model` or `descriptors`")
        return self


class EvaluationSettings(Settings):
    """What is scored, and what is made of it.

    Attributes:
        tasks: Tasks that are scored.
        distance: Distance metric, l1 or l2. The degeneracy check and the choice of recipes
            are by l2 in any case.
        drawing: Sizes and seed of the tasks drawn from the data.
        official_tasks: Folder with published task files; without it, tasks are drawn.
        official_split: Split of the published task files, e.g. `a`; by default that of the
            data, and without one `a`.
        references: Descriptors by the names that `gate.baseline` may use.
        exhibits: Whether to choose, while descriptors are at hand, what the report shows of
            them (curves, worst matches, a map); it changes no score.
        trust_models: Whether SavedModels are loaded that could do more than compute.
        gate: When the model is blessed.
    """

    tasks: Annotated[tuple[TaskName, ...], Field(min_length=1)] = TASK_NAMES
    distance: Literal["l2", "l1"] = "l2"
    drawing: TaskSettings = TaskSettings()
    official_tasks: str | None = None
    official_split: str | None = None
    references: dict[BaselineName, Reference] = Field(default_factory=dict)
    exhibits: bool = True
    trust_models: bool = False
    gate: GateSettings = GateSettings()

    @model_validator(mode="after")
    def _gate_is_scored(self) -> EvaluationSettings:
        asked = {floor.task: "floors" for floor in self.gate.floors}
        asked |= dict.fromkeys(self.gate.production.tasks, PRODUCTION)
        if self.gate.baseline:
            asked |= dict.fromkeys(self.gate.baseline.tasks_used, "baseline")
        for task, where in asked.items():
            if task not in self.tasks:
                raise ValueError(
                    f"gate.{where} uses the task {task}, which is not scored; add it to `tasks` "
                    f"({', '.join(self.tasks)})"
                )
        return self

    @model_validator(mode="after")
    def _baselines_are_known(self) -> EvaluationSettings:
        taken = [name for name in self.references if name in (*BASELINES, *_ROLES)]
        if taken:
            raise ValueError(f"references.{taken[0]}: the name is taken; choose another")
        names = (*BASELINES, *self.references)
        for name in self.gate.baseline.compared if self.gate.baseline else ():
            if name not in names:
                raise ValueError(
                    f"gate.baseline: there is no descriptor '{name}', expected some of "
                    f"{', '.join(names)} (`references` adds your own)"
                )
        return self

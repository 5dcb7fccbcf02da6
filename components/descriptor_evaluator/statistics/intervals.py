"""Means with intervals over scenes, paired differences, and Holm's correction.

The rows of one photograph or scene are not independent, so the unit that is resampled is
the *scene*. A mean over rows is a ratio of scene totals (sum of values over number of
rows); its standard error comes from the residuals of that ratio, which for equally many
rows per scene is the ordinary standard error of the mean of scene means.

Few scenes (under `BOOTSTRAP_SCENES`) get a Student t interval; with more, each end and
p-value is the more cautious of Student's t and a studentised bootstrap (bootstrap-t): on
measured scores of 8 to 20 scenes either alone errs more often than it says. A percentile
bootstrap is never used: at a handful of scenes its nominal 5 % is in truth 9 to 25 %.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 12
(bootstrap-t); Cochran, Sampling Techniques (1977), chapter 6 (ratio estimator);
Holm, Scandinavian Journal of Statistics 6 (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

BOOTSTRAP_SCENES = 8
CONFIDENCE = 0.95  # coverage of two-sided intervals, and level of one-sided bounds
RESAMPLES = 4000  # bootstrap resamples
_EXACT = 1e-12  # a standard error below this is rounding: all scenes agree
_KNOWN = 1e-6  # so small a part of the standard error is what rounding leaves of 0

Method = Literal["none", "exact", "t", "bootstrap"]


@dataclass(frozen=True)
class SceneTotals:
    """Values summed per scene.

    Attributes:
        scenes: Names, sorted.
        sums: float64 [n], sum of the values of each scene.
        counts: float64 [n], number of values of each scene.
    """

    scenes: tuple[str, ...]
    sums: np.ndarray
    counts: np.ndarray

    @property
    def mean(self) -> float:
        """Flat mean over all values; NaN without any."""
        return float(self.sums.sum() / self.counts.sum()) if len(self.scenes) else float("nan")


@dataclass(frozen=True)
class Interval:
    """A mean and its two-sided interval.

    Attributes:
        mean: Flat mean.
        low: Lower end, NaN when there are too few scenes for an interval.
        high: Upper end, likewise.
        scenes: Number of independent scenes.
        method: How the ends were found; `exact` when all scenes agree.
    """

    mean: float
    low: float
    high: float
    scenes: int
    method: Method


@dataclass(frozen=True)
class PairedDifference:
    """Candidate minus reference over the same units.

    Attributes:
        mean: Flat mean of the differences.
        lower: One-sided lower bound at the asked confidence.
        low: Lower end of the two-sided interval.
        high: Upper end of the two-sided interval.
        p_worse: p-value of "the candidate is not worse" (small: significantly worse).
        p_better: p-value of "the candidate is not better".
        scenes: Number of independent scenes.
        method: As in `Interval`.
    """

    mean: float
    lower: float
    low: float
    high: float
    p_worse: float
    p_better: float
    scenes: int
    method: Method


def scene_totals(scenes: Sequence[str], values: Sequence[float] | np.ndarray) -> SceneTotals:
    """Sums values per scene.

    Args:
        scenes: [m] scene of each value.
        values: [m] values; NaN makes its scene's sum NaN.

    Raises:
        ValueError: When the lengths differ.

    Example:
        >>> scene_totals(["b", "a", "b"], [1.0, 2.0, 3.0]).sums.tolist()
        [2.0, 4.0]
    """
    if len(scenes) != len(values):
        raise ValueError(f"{len(scenes)} scenes for {len(values)} values")
    names, place = np.unique(np.asarray(scenes, dtype=str), return_inverse=True)
    data = np.asarray(values, np.float64)
    return SceneTotals(
        scenes=tuple(names.tolist()),
        sums=np.bincount(place, weights=data, minlength=len(names)),
        counts=np.bincount(place, minlength=len(names)).astype(np.float64),
    )


def mean_interval(totals: SceneTotals, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Returns the flat mean with its two-sided interval over scenes, of coverage `CONFIDENCE`.

    Example:
        Three scenes with means 1, 2, 3: the interval is 2 -+ 4.303 / sqrt(3).

        >>> interval = mean_interval(scene_totals(list("abc"), [1.0, 2.0, 3.0]))
        >>> round(interval.low, 3), round(interval.high, 3)
        (-0.484, 4.484)
    """
    pivot = _Pivot.of(totals, resamples, seed)
    tail = (1.0 - CONFIDENCE) / 2.0
    return Interval(
        mean=totals.mean,
        low=pivot.end(1.0 - tail),
        high=pivot.end(tail),
        scenes=len(totals.scenes),
        method=pivot.method,
    )


def difference(candidate: SceneTotals, reference: SceneTotals) -> SceneTotals:
    """Returns candidate minus reference per scene.

    Raises:
        ValueError: When the two do not hold the same scenes with the same counts.
    """
    if candidate.scenes != reference.scenes or not np.array_equal(
        candidate.counts, reference.counts
    ):
        raise ValueError("the two models were not scored on the same units")
    return SceneTotals(candidate.scenes, candidate.sums - reference.sums, candidate.counts)


def paired_difference(
    candidate: SceneTotals,
    reference: SceneTotals,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedDifference:
    """Compares two models on the same units, paired by scene.

    `confidence` is that of the one-sided bound. The two-sided interval, which is shown and decides
    nothing, covers `CONFIDENCE` in any case.

    Raises:
        ValueError: When the two do not hold the same scenes with the same counts.
    """
    totals = difference(candidate, reference)
    pivot = _Pivot.of(totals, resamples, seed)
    tail = (1.0 - CONFIDENCE) / 2.0
    return PairedDifference(
        mean=totals.mean,
        lower=pivot.end(confidence),
        low=pivot.end(1.0 - tail),
        high=pivot.end(tail),
        p_worse=pivot.p_value(below=True),
        p_better=pivot.p_value(below=False),
        scenes=len(totals.scenes),
        method=pivot.method,
    )


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Returns Holm's adjusted p-values, in the order given.

    An adjusted value below the level means "rejected"; the chance of any false rejection
    among all of them stays below that level, however they depend on each other.

    Example:
        >>> holm([0.04, 0.01, 0.03]).round(6).tolist()
        [0.06, 0.03, 0.06]
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * (len(values) - np.arange(len(values)))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


@dataclass(frozen=True)
class _Pivot:
    """The distribution of (estimate - truth) / standard error.

    Attributes:
        mean: The estimate.
        error: Standard error of the estimate.
        method: Origin of the distribution; `bootstrap` looks at Student's t, too.
        draws: float64 [resamples], sorted bootstrap draws; empty for the other methods.
        freedom: Degrees of freedom of the t distribution.
    """

    mean: float
    error: float
    method: Method
    draws: np.ndarray
    freedom: int

    @classmethod
    def of(cls, totals: SceneTotals, resamples: int, seed: int) -> _Pivot:
        size, mean = len(totals.scenes), totals.mean
        none = np.zeros(0)
        if size < 2 or not np.isfinite(mean):
            return cls(mean, float("nan"), "none", none, 0)
        residuals = totals.sums - mean * totals.counts
        scale = totals.counts.mean()
        error = float(np.sqrt((residuals**2).sum() / (size * (size - 1))) / scale)
        if error < _EXACT:
            return cls(mean, 0.0, "exact", none, size - 1)
        if size < BOOTSTRAP_SCENES:
            return cls(mean, error, "t", none, size - 1)
        shift, of_draw = resampled_errors(totals, resamples, seed)
        known = known_errors(of_draw, error)
        if not known.any():
            return cls(mean, error, "t", none, size - 1)
        draws = np.sort(shift[known] / of_draw[known])
        return cls(mean, error, "bootstrap", draws, size - 1)

    def end(self, upper_tail: float) -> float:
        """Returns mean - quantile(upper_tail) * standard error."""
        if self.method == "none":
            return float("nan")
        if self.method == "exact":
            return self.mean
        quantile = float(stats.t.ppf(upper_tail, self.freedom))
        if self.method == "bootstrap":
            cautious = max if upper_tail > 0.5 else min
            quantile = cautious(quantile, float(np.quantile(self.draws, upper_tail)))
        return self.mean - quantile * self.error

    def p_value(self, below: bool) -> float:
        """Returns the p-value of the hypothesis that the truth is not below (above) zero."""
        if self.method == "none":
            return float("nan")
        side = 1.0 if below else -1.0
        if self.method == "exact":
            return 0.0 if side * self.mean < -_EXACT else 1.0
        statistic = side * self.mean / self.error
        p = float(stats.t.cdf(statistic, self.freedom))
        if self.method == "bootstrap":
            further = int((side * self.draws <= statistic).sum())
            # The draw itself counts as one more resample, so that no p-value is ever 0.
            p = max(p, (1 + further) / (len(self.draws) + 1))
        return p


def known_errors(of_draw: np.ndarray, error: float | np.ndarray) -> np.ndarray:
    """Tells which resamples show a standard error at all.

    A resample whose scenes all agree (one scene drawn again and again, or the one that
    differs from the others left out) has the error 0, of which rounding leaves a little; a
    shift divided by that would be noise of any size.

    Args:
        of_draw: float64 [...], standard errors of resamples; 0 or more.
        error: Standard error of the whole, a number or float64 that broadcasts against
            `of_draw`.

    Returns:
        bool [...], of the broadcast shape.
    """
    return (np.asarray(error) >= _EXACT) & (of_draw > _KNOWN * error)


def resampled_errors(
    totals: SceneTotals, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Resamples scenes: by how much the mean is off, and its standard error, each time.

    Totals of equally many scenes are resampled alike, so that what is drawn for two slices
    belongs together.

    Returns:
        float64 [resamples] each: resampled mean - mean, and the standard error that the
        resample shows.
    """
    counts, size = totals.counts, len(totals.scenes)
    residuals = totals.sums - totals.mean * counts
    rng = np.random.default_rng([seed, size])
    times = rng.multinomial(size, np.full(size, 1.0 / size), size=resamples).astype(np.float64)
    rows = times @ counts
    shift = (times @ residuals) / rows
    squares = (
        times @ residuals**2
        - 2.0 * shift * (times @ (residuals * counts))
        + shift**2 * (times @ counts**2)
    )
    variance = np.maximum(squares, 0.0) / (size * (size - 1)) / (rows / size) ** 2
    return shift, np.sqrt(variance)

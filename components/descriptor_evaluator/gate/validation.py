"""TFMA's answer to the gate's thresholds, as one check.

TFMA judges the same numbers by the same thresholds as the gate. Usually it therefore
refuses what the gate has already refused in better words, and then a short sentence does;
what TFMA alone refuses is told in full, and refuses just as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.descriptor_evaluator.gate.thresholds import FEATURES, OVER
from components.descriptor_evaluator.gate.verdict import Check
from components.descriptor_evaluator.protocol.scores import Slice

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import validation_result_pb2

_TOLD = 2  # findings that one sentence can bear


@dataclass(frozen=True)
class Failure:
    """A threshold that TFMA found broken.

    Attributes:
        rule: Name of the gate's check of the same threshold: `floor`, `baseline` or
            `production`.
        slice: Where.
        metric: Metric that was averaged.
        words: What was found and asked.
    """

    rule: str
    slice: Slice
    metric: str
    words: str


@dataclass(frozen=True)
class Validation:
    """What TFMA said.

    Attributes:
        ok: Its own verdict.
        slices: Number of slices that it looked at.
        failures: Broken thresholds.
        problems: What else was wrong, e.g. a missing slice, in words.
    """

    ok: bool
    slices: int = 0
    failures: tuple[Failure, ...] = ()
    problems: tuple[str, ...] = ()

    def as_check(self, others: Sequence[Check]) -> Check:
        """Turns the answer into a check.

        Args:
            others: The gate's own checks; what they refused is not told again.
        """
        if self.ok and not self.failures and not self.problems:
            told = f"TFMA's validation passed its thresholds on {self.slices} slices."
            return Check("tfma", True, told)
        known = {(check.name, check.slice, check.metric) for check in others if not check.passed}
        new = [
            failure.words
            for failure in self.failures
            if (failure.rule, failure.slice, failure.metric) not in known
        ]
        found = [*self.problems, *new]
        if found:
            more = f" (and {len(found) - _TOLD} more)" if len(found) > _TOLD else ""
            told = f"TFMA's validation failed: {'; '.join(found[:_TOLD])}{more}."
        elif self.failures:
            told = "TFMA's validation refuses the same slices."
        else:
            told = "TFMA's validation failed and gave no reason."
        return Check("tfma", False, told)


def crashed(error: Exception) -> Validation:
    """Returns the answer of a TFMA that failed to give one."""
    message = " ".join(str(error).split())[:200]
    return Validation(False, problems=(f"it crashed ({type(error).__name__}: {message})",))


def read_validation(result: validation_result_pb2.ValidationResult) -> Validation:
    """Reads TFMA's result."""
    problems = []
    for missing in result.missing_slices:
        values = missing.feature_values
        problems.append(f"the slice {', '.join(values[key] for key in sorted(values))} is missing")
    if result.missing_thresholds:
        problems.append("there is no threshold")
    return Validation(
        ok=result.validation_ok,
        slices=len(result.validation_details.slicing_details),
        failures=tuple(
            _failure(per_slice.slice_key, failure)
            for per_slice in result.metric_validations_per_slice
            for failure in per_slice.failures
        ),
        problems=tuple(problems),
    )


def _failure(slice_key, failure) -> Failure:
    column, threshold = failure.metric_key.model_name, failure.metric_threshold
    place = {key.column: key.bytes_value.decode() for key in slice_key.single_slice_keys}
    if threshold.HasField("change_threshold"):
        rule, asked = (
            "production",
            f"change at least {threshold.change_threshold.absolute.value:.4f}",
        )
    else:
        rule = "baseline" if column.startswith(OVER) else "floor"
        asked = f"at least {threshold.value_threshold.lower_bound.value:.4f}"
    where = ", ".join(place[name] for name in FEATURES if name in place)
    if failure.message.strip():
        words = f"{column} on {where}: {failure.message.strip()} ({asked})"
    else:
        value = failure.metric_value.double_value.value
        words = f"{column} on {where} is {value:.4f}, asked {asked}"
    part = Slice(place.get("task", ""), place.get("noise", ""), place.get("kind", ""))
    return Failure(rule, part, place.get("metric", ""), words)

"""The verdict on a candidate, as it is written beside the evaluation.

`verdict.json` (version 1; every number is a fraction, `null` where there is none):

    {"version": 1,
     "blessed": true,
     "summary": "one sentence",
     "reasons": ["one sentence per failed check: threshold, slice, by how much", ...],
     "notes": ["one sentence per remark that refuses nothing", ...],
     "production": {"status": "none|identical|compared|unknown", "checksum": "",
                    "refused_if_equal": 0.05},
     "candidate": {"checksum": ""},
     "checks": [{"name": "floor|baseline|production|best_pushed|degeneracy|tfma|evaluation",
                 "slice": {"task": "", "noise": "", "kind": ""},   # "" is "all"
                 "metric": "ap", "value": 0.7, "threshold": 0.5, "margin": 0.2,
                 "passed": true, "sentence": ""}, ...],
     "table": [{"task": "matching", "noise": "e|h|t|mean", "metric": "ap",
                "candidate": 0.7, "low": 0.6, "high": 0.8, "scenes": 5,
                "baselines": {"rootsift": 0.6, "rootsift-smoothed": 0.65},
                "over_baselines": {"rootsift": {"mean": 0.1, "low": 0.08, "high": 0.12}, ...},
                "production": 0.69,
                "change": {"mean": 0.01, "low": -0.01, "high": 0.03} or null}, ...]}

`margin` is value minus threshold: how far above (or, negative, below) the check was.
`refused_if_equal` is the share of models exactly as good as production that the comparison
would refuse (see `false_rejection`). `low` and `high` are the ends of the two-sided 95 %
interval over scenes, `change` is candidate minus production, paired over scenes, and
`over_baselines` likewise candidate minus each baseline that was scored on the same units.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

from components.core import files
from components.descriptor_evaluator.protocol.scores import ALL, Slice
from trainer.core.documents import read_json
from trainer.core.errors import UserError

FILE_NAME = "verdict.json"
VERSION = 1


@dataclass(frozen=True)
class Check:
    """One thing the gate looked at.

    Attributes:
        name: Rule it belongs to, e.g. `floor`.
        passed: Whether the rule was kept.
        sentence: Finding and requirement, in words.
        slice: Rows it was measured on.
        metric: Metric name.
        value: Measured value; NaN when there is none.
        threshold: Required value; NaN when there is none.
    """

    name: str
    passed: bool
    sentence: str
    slice: Slice = ALL
    metric: str = ""
    value: float = math.nan
    threshold: float = math.nan

    @property
    def margin(self) -> float:
        """How far the value is above the threshold."""
        return self.value - self.threshold


@dataclass(frozen=True)
class Change:
    """Candidate minus production or a baseline, with its two-sided interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class TableRow:
    """One line of the table of results; see the module's schema."""

    task: str
    noise: str
    metric: str
    candidate: float
    low: float
    high: float
    scenes: int
    baselines: dict[str, float] = field(default_factory=dict)
    production: float = math.nan
    change: Change | None = None
    over_baselines: dict[str, Change] = field(default_factory=dict)


@dataclass(frozen=True)
class Production:
    """What the candidate was compared with.

    Attributes:
        status: `none` (nothing in production yet), `identical` (the same model),
            `compared`, or `unknown` (the candidate could not be judged, so that nothing was
            compared).
        checksum: Checksum of the model in production.
        refused_if_equal: Share of equally good models that the comparison refuses; NaN when
            that is not known.
    """

    status: str = "none"
    checksum: str = ""
    refused_if_equal: float = math.nan


@dataclass(frozen=True)
class Verdict:
    """All checks, and whether they let the model pass."""

    checks: tuple[Check, ...]
    table: tuple[TableRow, ...] = ()
    production: Production = Production()
    candidate_checksum: str = ""
    notes: tuple[str, ...] = ()

    @property
    def blessed(self) -> bool:
        """True when there are checks and all of them passed."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences of the checks that failed."""
        if not self.checks:
            return ("Nothing was checked, so nothing can be blessed.",)
        return tuple(check.sentence for check in self.checks if not check.passed)

    @property
    def summary(self) -> str:
        """The verdict in one sentence."""
        total, failed = len(self.checks), len(self.reasons)
        if self.blessed:
            return f"Blessed: all {total} checks passed."
        return f"Not blessed: {failed} of {max(total, 1)} checks failed."

    def to_json(self) -> str:
        """Returns the content of `verdict.json`; equal verdicts give equal text."""
        checks = [dataclasses.asdict(check) | {"margin": check.margin} for check in self.checks]
        content = {
            "version": VERSION,
            "blessed": self.blessed,
            "summary": self.summary,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            "production": dataclasses.asdict(self.production),
            "candidate": {"checksum": self.candidate_checksum},
            "checks": checks,
            "table": [dataclasses.asdict(row) for row in self.table],
        }
        return json.dumps(_without_nan(content), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Verdict:
        """Reads a verdict back.

        Raises:
            ValueError: When the text is no verdict of this version.
        """
        try:
            content = _object(text)
            if content["version"] != VERSION:
                raise ValueError(f"version {content['version']}, expected {VERSION}")
            verdict = cls(
                checks=tuple(_check(item) for item in content["checks"]),
                table=tuple(_table_row(item) for item in content["table"]),
                production=_production(content["production"]),
                candidate_checksum=content["candidate"]["checksum"],
                notes=tuple(content["notes"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a verdict: {error!r}") from error
        if verdict.blessed != content.get("blessed"):
            raise ValueError("`blessed` does not agree with the checks")
        return verdict


def refusal(
    sentence: str, candidate_checksum: str = "", production: Production | None = None
) -> Verdict:
    """Returns the verdict on a candidate that could not be judged."""
    check = Check(name="evaluation", passed=False, sentence=sentence)
    return Verdict(
        checks=(check,),
        production=production or Production("unknown"),
        candidate_checksum=candidate_checksum,
    )


def write(verdict: Verdict, folder: str) -> str:
    """Writes `verdict.json` into a folder (whole or not at all) and returns its path."""
    path = files.join(folder, FILE_NAME)
    files.write_text(path, verdict.to_json())
    return path


def read(folder: str) -> Verdict:
    """Reads the verdict of an evaluation folder.

    Raises:
        UserError: When there is none, or it is damaged.
    """
    path = files.join(folder, FILE_NAME)
    if not files.exists(path):
        raise UserError(
            f"{path}: there is no verdict; expected a folder written by DescriptorEvaluator"
        )
    text = files.read_text(path)
    try:
        return Verdict.from_json(text)
    except ValueError as error:
        raise UserError(f"{path}: {error}; run the evaluation again") from error


def _object(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError as error:
        raise ValueError(f"not a verdict: {error}") from error


def _check(item: dict[str, Any]) -> Check:
    values = {key: value for key, value in item.items() if key != "margin"}
    values["slice"] = Slice(**values["slice"])
    return Check(**_with_nan(values, ("value", "threshold")))


def _production(item: dict[str, Any]) -> Production:
    values = {"refused_if_equal": None, **item}  # verdicts of earlier versions lack it
    return Production(**_with_nan(values, ("refused_if_equal",)))


def _table_row(item: dict[str, Any]) -> TableRow:
    values = _with_nan(item, ("candidate", "low", "high", "production"))
    values["baselines"] = _with_nan(item["baselines"], item["baselines"])
    if item["change"] is not None:
        values["change"] = _change(item["change"])
    over = item.get("over_baselines", {})  # verdicts of earlier versions lack it
    values["over_baselines"] = {name: _change(change) for name, change in over.items()}
    return TableRow(**values)


def _change(item: dict[str, Any]) -> Change:
    return Change(**_with_nan(item, ("mean", "low", "high")))


def _with_nan(item: dict[str, Any], keys: Any) -> dict[str, Any]:
    return item | {key: math.nan for key in keys if item[key] is None}


def _without_nan(value: Any) -> Any:
    """Replaces numbers that JSON does not know by null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value

"""Unit scores made up for the tests of the gate, and what it is asked about them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from components.descriptor_evaluator.gate.decision import Evidence, judge
from components.descriptor_evaluator.gate.verdict import Check, Production, Verdict
from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.settings import GateSettings
from components.descriptor_evaluator.statistics import degeneracy
from components.descriptor_evaluator.statistics.score_table import ScoreTable
from trainer.core.variants import NOISES

Score = Callable[[str, str, str, int], float]
TASKS = ("verification", "matching", "retrieval")
COMPARED = Production("compared", "abc")


def matching_rows(score: Score, scenes: int = 12, targets: int = 2) -> list[UnitScore]:
    """One `i_` and one `v_` sequence per scene; `score(task, noise, kind, scene)`."""
    units = [str(target) for target in range(1, targets + 1)]
    return _rows("matching", score, scenes, units, success_rate=0.5)


def retrieval_rows(score: Score, scenes: int = 12, queries: int = 3) -> list[UnitScore]:
    """As `matching_rows`, with queries for targets."""
    return _rows("retrieval", score, scenes, [str(n) for n in range(queries)], **{"ap@100": 0.9})


def _rows(
    task: str, score: Score, scenes: int, units: list[str], **others: float
) -> list[UnitScore]:
    return [
        UnitScore(
            task,
            noise,
            kind,
            f"{kind}_{scene:02d}",
            f"photo{scene:02d}",
            unit,
            _metrics(score(task, noise, kind, scene), **others),
        )
        for scene in range(scenes)
        for kind in "iv"
        for noise in NOISES
        for unit in units
    ]


def verification_rows(score: Score, scenes: int = 12) -> list[UnitScore]:
    """The six pair sets, each the mean of what `score` gives its scenes."""
    rows = []
    for noise in NOISES:
        values = np.array([score("verification", noise, "", scene) for scene in range(scenes)])
        without = (values.sum() - values) / max(scenes - 1, 1)
        names = [f"photo{scene:02d}" for scene in range(scenes)]
        metrics = _metrics(float(values.mean()), auc=0.9)
        influences = dict(zip(names, without.tolist(), strict=True))
        rows += [
            UnitScore("verification", noise, "u", "", "", unit, metrics, influences)
            for unit in ("inter", "intra")
        ]
    return rows


def table(score: Score | float, scenes: int = 12) -> ScoreTable:
    """All three tasks."""
    given = score if callable(score) else (lambda task, noise, kind, scene: score)
    return ScoreTable(
        matching_rows(given, scenes)
        + retrieval_rows(given, scenes)
        + verification_rows(given, scenes)
    )


def level(base: float, spread: float = 0.05, seed: int = 0, wobble: float = 0.0) -> Score:
    """A model of some quality: scenes differ by `spread`, noise levels by 0.2.

    `wobble` is the part of the differences that is this model's own, drawn with `seed`.
    """
    of_scene = np.random.default_rng(1234).normal(0.0, spread, 200)
    own = np.random.default_rng([seed, 5]).normal(0.0, wobble, 200)
    step = {"e": 0.2, "h": 0.0, "t": -0.2}
    return lambda task, noise, kind, scene: float(
        np.clip(base + of_scene[scene] + own[scene] + step[noise], 0.0, 1.0)
    )


def gate(**changes: Any) -> GateSettings:
    """Settings with one floor."""
    base: dict[str, Any] = {"floors": [{"task": "matching", "at_least": 0.3}]}
    return GateSettings.model_validate(base | changes)


SOUND = degeneracy.measure(
    {"i_one": np.random.default_rng(0).standard_normal((16, 9, 4)).astype(np.float32)}
)
"""Measures of descriptors that tell patches apart."""


def evidence(
    candidate: Score | float,
    production: Score | float | None = None,
    scenes: int = 12,
    **changes: Any,
) -> Evidence:
    """A candidate beside baselines of 0.40 and 0.45, and a model in production if given."""
    values: dict[str, Any] = {
        "candidate": table(candidate, scenes),
        "baselines": {
            "rootsift": table(level(0.40), scenes),
            "rootsift-smoothed": table(level(0.45), scenes),
        },
        "degeneracy": SOUND,
    }
    if production is not None:
        values |= {"production": table(production, scenes), "production_state": COMPARED}
    return Evidence(**values | changes)


def judged(given: Evidence, **changes: Any) -> Verdict:
    """What the gate says, with one floor and what is changed in its settings."""
    return judge(given, gate(**changes), TASKS)


def failed(verdict: Verdict, name: str) -> list[Check]:
    """The checks of a name that did not pass."""
    return [check for check in verdict.checks if check.name == name and not check.passed]


def _metrics(value: float, **others: float) -> dict[str, float]:
    metrics = {"ap": value, **others}
    return metrics | {f"{name}_tie_safe": number for name, number in metrics.items()}

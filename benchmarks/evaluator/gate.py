"""How often the gate refuses good models and passes bad ones, by simulation.

Pairs of "re-trainings" are drawn from measured scores per scene
(`benchmarks.evaluator.gate_scores`): a trial takes two of the seeds at random and draws scenes
with replacement from those that were measured. Subtracting the pair's own difference makes the two
equally good; a shift then makes the candidate worse by a known amount. Left unsubtracted, the pair
differs as two trainings of one plan differ, which is reported apart: the gate judges models, not
plans.

The rules are the gate's own (`non_inferiority.decide`), on its defaults: matching and retrieval
over all noise levels, delta 1 mAP.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmarks.evaluator.gate_scores import LEDGER, SEEDS, TASKS, key_of
from benchmarks.harness.ledger import Ledger
from components.descriptor_evaluator.gate.false_rejection import false_rejection_rate
from components.descriptor_evaluator.gate.non_inferiority import decide, guards
from components.descriptor_evaluator.settings import GateSettings
from components.descriptor_evaluator.statistics.intervals import SceneTotals, paired_difference
from trainer.core import progress
from trainer.core.errors import UserError

TRIALS = 500
SIZES = (10, 20, 40)
RESAMPLES = 1000
MODES = ("point", "lower_bound")
_WIDE = 4.0


@dataclass(frozen=True)
class Measured:
    """Differences between seeds, per scene.

    Attributes:
        sums: float64 [pairs, tasks, scenes], summed over the units of a scene.
        counts: float64 [tasks, scenes], its units.
    """

    sums: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Case:
    """What is simulated.

    Attributes:
        mode: Mode of the comparison with production.
        scenes: Independent scenes that a trial draws.
        difference: True difference candidate - production; None leaves the pair's own.
        spread: Factor on the scatter of the scenes' differences.
    """

    mode: str
    scenes: int
    difference: float | None = 0.0
    spread: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """What came out.

    Attributes:
        refused: Share of trials that the gate refused.
        stated: Share of equally good models that it said it refuses, mean over trials.
    """

    refused: float
    stated: float


def read(path: str | Path = LEDGER) -> Measured:
    """Reads the measured scores of all seeds and pairs them.

    Raises:
        UserError: When they were not measured yet.
    """
    ledger = Ledger(path)
    runs = [ledger.get(key_of(seed)) for seed in SEEDS]
    if None in runs:
        raise UserError(
            f"{path}: lacks seeds; `python -m benchmarks.evaluator.gate_scores` measures them"
        )
    keys = [key.split("/") for key in runs[0]["scores"]]
    scenes = sorted({key[3] for key in keys})
    table = np.zeros((len(runs), 2, len(TASKS), len(scenes)))
    for run, row in zip(runs, table, strict=True):
        for (task, _, _, scene), values in zip(keys, run["scores"].values(), strict=True):
            row[:, TASKS.index(task), scenes.index(scene)] += values
    pairs = np.array(list(permutations(range(len(runs)), 2)))
    return Measured(table[pairs[:, 0], 0] - table[pairs[:, 1], 0], table[0, 1])


def simulate(measured: Measured, case: Case, trials: int, resamples: int = RESAMPLES) -> Outcome:
    """Runs the gate's comparison on drawn pairs.

    Args:
        measured: What to draw from.
        case: What is true, and how the gate is set.
        trials: Pairs to draw; the same ones for every mode and difference.
        resamples: Bootstrap resamples of each comparison.
    """
    settings = GateSettings.model_validate({"production": {"mode": case.mode, "tasks": TASKS}})
    deltas = [guard.delta for guard in guards(settings.production)]
    rng = np.random.default_rng([case.scenes, 7])
    refused, stated = np.zeros(trials, bool), np.zeros(trials)
    for trial in range(trials):
        totals = _draw(measured, case, rng)
        differences = [
            paired_difference(
                item,
                SceneTotals(item.scenes, np.zeros_like(item.sums), item.counts),
                resamples=resamples,
                seed=trial,
            )
            for item in totals
        ]
        refused[trial] = not all(check.passed for check in decide(differences, settings))
        stated[trial] = false_rejection_rate(totals, deltas, case.mode, resamples)
    return Outcome(float(refused.mean()), float(stated.mean()))


def _draw(measured: Measured, case: Case, rng: np.random.Generator) -> list[SceneTotals]:
    """Draws one pair: per task, candidate - production summed per scene."""
    sums, counts = measured.sums[rng.integers(len(measured.sums))], measured.counts
    chosen = rng.integers(counts.shape[1], size=case.scenes)
    if case.difference is not None:
        mean = sums.sum(1, keepdims=True) / counts.sum(1, keepdims=True)
        sums = case.spread * (sums - mean * counts) + case.difference * counts
    names = tuple(f"{number:03d}" for number in range(case.scenes))
    return [SceneTotals(names, sums[k, chosen], counts[k, chosen]) for k in range(len(counts))]


def cases() -> list[Case]:
    """Lists what the benchmark simulates."""
    simulated = [
        Case(mode, size, difference)
        for mode in MODES
        for size in SIZES
        for difference in (0.0, -0.01, -0.02, None)
    ]
    return simulated + [
        Case(mode, 40, difference, _WIDE) for mode in MODES for difference in (0, -0.01)
    ]


def run(work: str) -> Table:
    """Returns the shares of refusals per case."""
    measured, listed = read(), cases()
    table = Table(title=f"Refusals by the gate, {TRIALS} simulated pairs each, per cent")
    for column in ("mode", "scenes", "true difference", "scatter", "refused", "stated if equal"):
        table.add_column(column, justify="left" if column == "mode" else "right")
    for number, case in enumerate(listed):
        progress.report("simulating the gate", number, len(listed))
        outcome = simulate(measured, case, TRIALS)
        table.add_row(
            case.mode,
            str(case.scenes),
            "of two seeds" if case.difference is None else f"{100 * case.difference:+.0f} mAP",
            f"x {case.spread:g}",
            f"{100 * outcome.refused:.1f}",
            f"{100 * outcome.stated:.1f}",
        )
    progress.report("simulating the gate", len(listed), len(listed))
    table.caption = _caption(measured)
    return table


def _caption(measured: Measured) -> str:
    """Says how much scenes and seeds differ in what was measured."""
    words = []
    for number, task in enumerate(TASKS):
        sums, counts = measured.sums[:, number], measured.counts[number]
        mean = sums.sum(1) / counts.sum()
        within = (sums / counts - mean[:, None]).std()
        words.append(f"{task} {100 * within:.2f} between scenes, {100 * mean.std():.2f} of seeds")
    return f"Deviation of differences between two seeds, mAP: {'; '.join(words)}."

"""Matching mAP over processor time, and stages against single settings at equal patches.

Trained on the demo's photographs alone, scored on held-out photographs and on six real
image sequences. `python -m benchmarks.training.quality` measures what is missing in
`benchmarks/results/quality.json` (two hours of one core when nothing is there) and prints
the tables; `make bench` repeats the shortest run and sets it beside what is kept.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import itertools
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.table import Table
from scipy import stats

from benchmarks.harness.ledger import Ledger
from benchmarks.training import training_data
from pipeline.terminal import consoles, noise
from trainer.core.config import StageConfig, TrainerConfig
from trainer.engine.loop import Folders, train

LEDGER = Path(__file__).parents[1] / "results" / "quality.json"
SEEDS = (1, 2, 3, 4, 5)
DEMO_PATCHES = 652_800  # about those of `trainer.core.config.demo_plan`
CURVE = (0.4, 1.0, 2.5, 5.5)  # times the demo's patches; the last is about the default plan
COMPARED_AT = 0.4


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        plan: Name in `PLANS`.
        budget: Patches, in those of the demo.
        seed: Of everything.
    """

    plan: str
    budget: float
    seed: int

    @property
    def key(self) -> str:
        """Its place in the ledger."""
        return f"{self.plan} x{self.budget:g} seed {self.seed}"


def staged(budget: float) -> tuple[StageConfig, ...]:
    """An easy start of 150 steps at S 256 K 2, then S 1024 K 2: 2e-2 falling to 0."""
    easy = StageConfig(
        points_per_batch=256,
        patches_per_point=2,
        learning_rate=1e-2,
        warm_up_steps=20,
        min_steps=50,
        max_steps=150,
        promote_below=0.9,
    )
    left = budget * DEMO_PATCHES - easy.batch * easy.max_steps
    return easy, _hard(1024, 2, 2e-2, left)


def _hard(points: int, patches_per_point: int, rate: float, patches: float) -> StageConfig:
    return StageConfig(
        points_per_batch=points,
        patches_per_point=patches_per_point,
        learning_rate=rate,
        schedule="linear",
        warm_up_steps=20,
        max_steps=max(1, round(patches / (points * patches_per_point))),
    )


def single(
    points: int, patches_per_point: int, rate: float, budget: float
) -> tuple[StageConfig, ...]:
    """One stage with the same warm-up and decay and the same number of patches."""
    return (_hard(points, patches_per_point, rate, budget * DEMO_PATCHES),)


PLANS: dict[str, Any] = {
    "staged S256 -> S1024, K2, 2e-2": staged,
    "S256 K4, 2e-2": lambda budget: single(256, 4, 2e-2, budget),
    "S256 K2, 2e-2": lambda budget: single(256, 2, 2e-2, budget),
    "S512 K2, 2e-2": lambda budget: single(512, 2, 2e-2, budget),
    "S1024 K2, 2e-2": lambda budget: single(1024, 2, 2e-2, budget),
    "S2048 K2, 2e-2": lambda budget: single(2048, 2, 2e-2, budget),
}
DEFAULT = "S1024 K2, 2e-2"  # the demo's
RIVALS = ("S256 K4, 2e-2", "staged S256 -> S1024, K2, 2e-2")
SCREENED = tuple(Run(plan, COMPARED_AT, 1) for plan in PLANS)
PAIRED = tuple(Run(plan, COMPARED_AT, seed) for seed in SEEDS for plan in (DEFAULT, *RIVALS))


def measure(run: Run, examples: str, pack_dir: str) -> dict[str, Any]:
    """Trains and scores one run; one thread, so that processor time is comparable."""
    config = TrainerConfig(seed=run.seed, stages=PLANS[run.plan](run.budget), threads=1)
    with tempfile.TemporaryDirectory(prefix="quality-") as folder:
        result = train(config, examples, None, Folders(folder, f"{folder}/log", packed=pack_dir))
        return {
            "cpu_seconds": round(result.cpu_seconds, 1),
            "patches": result.patches,
            "rollbacks": result.rollbacks,
            "val": result.validation,
            "held_out": training_data.score(result.model_path, training_data.held_out(examples)),
            "real": training_data.score(result.model_path, training_data.real_sequences()),
        }


def curve_table(ledger: Ledger, plan: str) -> Table:
    """Returns matching mAP of a plan over processor time."""
    table = Table(title=f"Matching mAP over processor time, {plan}, one thread, seed 1")
    for column in ("patches", "CPU-minutes", "held-out photographs", "real sequences"):
        table.add_column(column, justify="right")
    for budget in CURVE:
        result = ledger.get(Run(plan, budget, 1).key)
        if result:
            table.add_row(
                f"{result['patches']:,}",
                f"{result['cpu_seconds'] / 60:.1f}",
                _cells(result["held_out"]),
                _cells(result["real"]),
            )
    return table


def plans_table(ledger: Ledger) -> Table:
    """Returns all plans at equal patches: a screening with one seed, then paired seeds."""
    table = Table(title="Plans at equal patches, matching mAP, mean over seeds")
    for column in ("plan", "patches", "seeds", "held-out photographs", "real sequences"):
        table.add_column(column, justify="left" if column == "plan" else "right")
    for plan in PLANS:
        rows = [ledger.get(Run(plan, COMPARED_AT, seed).key) for seed in SEEDS]
        rows = [row for row in rows if row]
        if rows:
            means = (f"{100 * np.mean([row[key]['mean'] for row in rows]):.1f}" for key in _SETS)
            table.add_row(plan, f"{rows[0]['patches']:,}", str(len(rows)), *means)
    return table


def comparison(ledger: Ledger) -> list[str]:
    """Returns rival minus the demo's plan with the paired 95 % interval, as sentences."""
    sentences = []
    for plan, name in itertools.product(RIVALS, _SETS):
        pairs = [
            [ledger.get(Run(p, COMPARED_AT, seed).key) for p in (plan, DEFAULT)] for seed in SEEDS
        ]
        gaps = [100 * (a[name]["mean"] - b[name]["mean"]) for a, b in pairs if a and b]
        if len(gaps) > 1:
            half = stats.t.ppf(0.975, len(gaps) - 1) * np.std(gaps, ddof=1) / math.sqrt(len(gaps))
            low, high = np.mean(gaps) - half, np.mean(gaps) + half
            sentences.append(
                f"{name.replace('_', '-')}: ({plan}) - ({DEFAULT}) {np.mean(gaps):+.2f} mAP, "
                f"95 % interval {low:+.2f} .. {high:+.2f} ({len(gaps)} seeds)"
            )
    return sentences


_SETS = ("held_out", "real")


def _cells(scores: dict[str, float]) -> str:
    return " / ".join(f"{100 * scores[key]:.1f}" for key in ("e", "h", "t", "mean"))


def run(work: str) -> Table:
    """Repeats the shortest run of the curve and sets it beside the one that is kept."""
    again = Run(DEFAULT, CURVE[0], 1)
    examples = training_data.demo_examples(work)
    kept, now = Ledger(LEDGER).get(again.key), measure(again, examples, f"{examples}-packed")
    table = Table(title=f"Matching mAP after {now['patches']:,} patches, {again.plan}, seed 1")
    for column in ("", "CPU-minutes", "held-out photographs", "real sequences"):
        table.add_column(column, justify="right")
    for name, row in (("kept", kept), ("now", now)):
        if row:
            minutes = f"{row['cpu_seconds'] / 60:.1f}"
            table.add_row(name, minutes, _cells(row["held_out"]), _cells(row["real"]))
    return table


@click.command()
@click.option("--work", default="./demo", help="Work folder that keeps the examples.")
@click.option("--ledger", default=str(LEDGER), help="Where the results are kept.")
@click.option("--curve", default=DEFAULT, type=click.Choice(list(PLANS)), help="Plan of the curve.")
def main(work: str, ledger: str, curve: str) -> None:
    """Measure what is missing and print the tables."""
    noise.quieten(verbose=False)
    console = consoles.output()
    kept = Ledger(ledger)
    runs = (*PAIRED, *SCREENED, *(Run(curve, budget, 1) for budget in CURVE))
    missing = [run for run in dict.fromkeys(runs) if kept.get(run.key) is None]
    if missing:
        examples = training_data.demo_examples(work)
        for number, run in enumerate(missing, start=1):
            console.print(f"{number} of {len(missing)}: {run.key}", soft_wrap=True)
            kept.put(run.key, measure(run, examples, f"{examples}-packed"))
    console.print(curve_table(kept, curve))
    console.print(plans_table(kept))
    for sentence in comparison(kept):
        console.print(sentence, soft_wrap=True)


if __name__ == "__main__":
    main()

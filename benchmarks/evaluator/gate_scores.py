"""Scores per scene of one plan trained with several seeds, which the gate's benchmark draws from.

Trained on the demo's photographs with a quarter of the demo's patches, scored on its held-out
photographs and on the six real image sequences, which makes eleven scenes. `python -m
benchmarks.evaluator.gate_scores` measures what is missing in `benchmarks/results/gate.json`
(about six minutes of one core when nothing is there).
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.harness.ledger import Ledger
from components.descriptor_evaluator.protocol.scores import UnitScore
from pipeline.terminal import consoles, noise

LEDGER = Path(__file__).parents[1] / "results" / "gate.json"
SEEDS = (1, 2, 3, 4, 5)
TASKS = ("matching", "retrieval")
METRIC = "ap_tie_safe"
BUDGET = 0.25  # of the demo's patches
POINTS = 300

SceneScores = dict[str, list[float]]  # sum and number of units by `task/noise/kind/scene`


def key_of(seed: int) -> str:
    """Returns a run's place in the ledger."""
    return f"seed {seed}"


def by_scene(rows: Sequence[UnitScore]) -> SceneScores:
    """Sums the tie-safe precision of unit scores per task, noise level, kind and scene."""
    totals: SceneScores = {}
    for row in rows:
        total = totals.setdefault(f"{row.task}/{row.noise}/{row.kind}/{row.scene}", [0.0, 0])
        total[0] += row.metrics[METRIC]
        total[1] += 1
    return totals


def measure(seed: int, examples: str, pack_dir: str) -> dict[str, Any]:
    """Trains one seed and scores it."""
    # They import TensorFlow and TFX, which a simulation from kept scores does without.
    from benchmarks.training import quality, training_data
    from components.descriptor_evaluator.descriptors import saved_model
    from components.descriptor_evaluator.protocol.tasks import (
        SequenceInfo,
        TaskSettings,
        contrast,
        draw,
    )
    from components.descriptor_evaluator.scoring.score import score
    from trainer.core.config import TrainerConfig
    from trainer.data import manifest
    from trainer.engine.loop import Folders, train

    stages = quality.PLANS[quality.DEFAULT](BUDGET)
    config = TrainerConfig(seed=seed, stages=stages, threads=1)
    patches = training_data.held_out(examples, POINTS) | training_data.real_sequences(POINTS)
    scene_of = {entry.name: entry.scene for entry in manifest.read(examples).splits["eval"]}
    infos = [
        SequenceInfo(name, scene_of.get(name, name), name[0], len(p), contrast(p[:, 0]))
        for name, p in patches.items()
    ]
    with tempfile.TemporaryDirectory(prefix="gate-") as folder:
        result = train(config, examples, None, Folders(folder, f"{folder}/log", packed=pack_dir))
        model = saved_model.load_model(result.model_path)
        described = {name: saved_model.describe_patches(model, p) for name, p in patches.items()}
    rows = score(described, draw(infos, TaskSettings()), TASKS)
    return {
        "cpu_seconds": round(result.cpu_seconds, 1),
        "patches": result.patches,
        "scores": {key: [round(s, 9), n] for key, (s, n) in sorted(by_scene(rows).items())},
    }


@click.command()
@click.option("--work", default="./demo", help="Work folder that keeps the examples.")
@click.option("--ledger", default=str(LEDGER), help="Where the scores are kept.")
def main(work: str, ledger: str) -> None:
    """Measure what is missing."""
    noise.quieten(verbose=False)
    kept = Ledger(ledger)
    missing = [seed for seed in SEEDS if kept.get(key_of(seed)) is None]
    if not missing:
        consoles.output().print(f"{ledger}: nothing is missing", soft_wrap=True)
        return
    from benchmarks.training import training_data

    examples = training_data.demo_examples(work)
    for seed in missing:
        consoles.output().print(f"training seed {seed}", soft_wrap=True)
        kept.put(key_of(seed), measure(seed, examples, f"{examples}-packed"))


if __name__ == "__main__":
    main()

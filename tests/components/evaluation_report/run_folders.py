"""The folders of a small made-up run, as its components would have left them."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.descriptor_evaluator.gate import verdict
from components.descriptor_evaluator.protocol import tasks as task_sources
from components.descriptor_evaluator.report_data import exhibits
from components.descriptor_evaluator.scoring import result_files
from components.descriptor_evaluator.scoring.score import score
from components.descriptor_evaluator.scoring.scores_cache import Scored
from components.evaluation_report.material import Material
from components.example_gen.settings import DataSettings
from tests.support.releases import patches_of
from trainer.data import manifest, records
from trainer.reporting import tensorboard

POINTS = 8
EVAL = (("i_one", "one"), ("v_one", "one"), ("v_two", "two"))
DESCRIBED = {"candidate": 0.6, "production": 0.8, "rootsift": 1.2}  # with how much noise
TIMELINE = [
    {"event": "start", "step": 0, "stage": 0, "reason": "before the first step",
     "normalized_loss": 1.1},
    {"event": "stage", "step": 0, "stage": 0, "reason": "begins", "S": 8, "K": 2, "rate": 0.01},
    {"event": "good", "step": 10, "stage": 0, "reason": "the probe batch is healthy"},
    {"event": "promote", "step": 40, "stage": 0, "reason": "the next stage is ready",
     "smoothed_normalized_loss": 0.8},
    {"event": "stage", "step": 40, "stage": 1, "reason": "begins", "S": 16, "K": 4, "rate": 0.01},
    {"event": "validate", "step": 50, "stage": 1, "reason": "matching mAP on val", "mean": 0.4321},
    {"event": "rollback", "step": 60, "stage": 1, "reason": "collapsed <at once>",
     "relative_distance": 0.05},
    {"event": "stage", "step": 60, "stage": 1, "reason": "begins", "S": 12, "K": 4, "rate": 0.005},
    {"event": "finish", "step": 100, "stage": 1, "reason": "the last stage has had its steps"},
]  # fmt: skip
RESULT = {
    "run": "0123456789abcdef", "model_path": "m", "ended": "the last stage has had its steps",
    "gave_up": False, "steps": 100, "patches": 6400, "best_step": 50,
    "validation": {"e": 0.6, "h": 0.4, "t": 0.3, "mean": 0.4321}, "rollbacks": 1, "traces": 2,
    "wall_seconds": 12.4, "cpu_seconds": 20.6, "patches_per_second": 1234.5, "input_wait": 0.012,
    "stages": ["S8 K2 rate 0.01 steps 40", "S12 K4 rate 0.005 steps 60"],
    "planned": [{"stage": "S16 K4 rate 0.01 steps 60", "patches": 3840, "trained": 0}],
    "pixels": 0.3, "normalized_loss": 0.4, "shortfall": "it matches <worse>",
}  # fmt: skip


def write_run(root: Path, blessed: bool = True) -> Material:
    """Writes every folder of a run below `root`."""
    examples = write_examples(root / "examples")
    return Material(
        evaluation=write_evaluation(root / "evaluation", blessed),
        examples=examples,
        model=write_model(root / "model"),
        model_run=write_model_run(root / "model_run"),
        name="made up <b>run</b>",
        configuration={"warm_start": False, "push": {"destination": "serving"}},
    )


def write_examples(root: Path) -> str:
    """Writes the shards of `EVAL`, and a manifest that knows of training data as well."""
    (root / "Split-eval").mkdir(parents=True)
    entries = []
    for name, scene in EVAL:
        shard = f"Split-eval/{name}-00000-of-00001"
        with tf.io.TFRecordWriter(str(root / shard)) as writer:
            for index, patches in enumerate(patches_of(name, POINTS)):
                record = records.PointPatches(name, scene, name[0], index, patches)
                writer.write(records.encode(record))
        entries.append(_entry(name, scene, (shard,)))
    content = manifest.Manifest(
        splits={
            "train": (_entry("v_three", "three"), _entry("v_four", "four")),
            "val": (_entry("v_five", "five"),),
            "eval": tuple(entries),
        },
        skipped=(manifest.SkippedSequence(name="v_bad", reason="2.ppm is <empty>"),),
        settings=DataSettings(format="strips", seed=3).model_dump(mode="json"),
    )
    manifest.write(content, str(root))
    return str(root)


def write_evaluation(root: Path, blessed: bool = True) -> str:
    """Scores random descriptors and writes what DescriptorEvaluator writes."""
    infos = [
        task_sources.SequenceInfo(name, scene, name[0], POINTS, np.ones(POINTS, np.float32))
        for name, scene in EVAL
    ]
    tasks = task_sources.draw(infos, task_sources.TaskSettings())
    root.mkdir(parents=True)
    scored = {}
    for name, noise in DESCRIBED.items():
        descriptors = _descriptors(noise)
        rows = tuple(score(descriptors, tasks))
        shown = exhibits.choose(descriptors, tasks, rows, curves_only=name == "rootsift")
        scored[name] = Scored(rows, {exhibits.FACT: shown})
    about = {
        "data_checksum": "d" * 64,
        "scored": {"model": "m", "checksum": "c" * 64},
        "recipes": {"rootsift-smoothed": {"sigma": 3.5, "size": 0.2, "padding": 0.25}},
        "settings": {"gate": {"seed": 5}},
        "versions": {"numpy": "1.2.3"},
        "evaluated": "2025-06-01T14:30:00+02:00",
    }
    result_files.write(str(root), scored, about)
    verdict.write(made_up_verdict(blessed), str(root))
    return str(root)


def made_up_verdict(blessed: bool = True) -> verdict.Verdict:
    """Two checks, the second of which may fail, and a table of one task."""
    change = verdict.Change(-0.012, -0.03, 0.006)
    return verdict.Verdict(
        checks=(
            verdict.Check("floor", True, "matching mAP is 60.00, 10.00 above the floor."),
            verdict.Check("production", blessed, "matching mAP is 1.20 below production."),
        ),
        table=tuple(
            verdict.TableRow(
                "matching", noise, "ap", value, value - 0.1, value + 0.1, 2,
                {"rootsift": value - 0.05, "rootsift-smoothed": value + 0.11},
                value + 0.012, change,
                {
                    "rootsift": verdict.Change(0.05, 0.031, 0.069),
                    "rootsift-smoothed": verdict.Change(-0.11, -0.131, -0.109),
                },
            )
            for noise, value in (("e", 0.7), ("h", 0.6), ("t", 0.5), ("mean", 0.6))
        ),
        production=verdict.Production("compared", "p" * 64),
        notes=("The intervals rest on 2 scenes.",),
    )  # fmt: skip


def write_model(root: Path) -> str:
    """Writes variables as the trainer exports them, and a descriptor's identity."""
    module = tf.Module()
    kernel = np.linspace(-1, 1, 3 * 3 * 4, dtype=np.float32).reshape(3, 3, 1, 4)
    module.network = {"conv1_kernel": tf.Variable(kernel)}
    tf.saved_model.save(module, str(root))
    (root / "assets.extra").mkdir(exist_ok=True)
    identity = {
        "descriptor_id": "abc",
        "data_checksum": "e" * 64,
        "training": {"seed": 7, "model": {"width": 0.25}},
        "extraction": {"seed": 3},
        "versions": {"tensorflow": "2.16.2"},
    }
    (root / "assets.extra" / "descriptor.json").write_text(json.dumps(identity))
    return str(root)


def write_model_run(root: Path) -> str:
    """Writes the timeline, the result and TensorBoard's curves of a training run."""
    root.mkdir()
    (root / "timeline.json").write_text(json.dumps(TIMELINE))
    (root / "training_result.json").write_text(json.dumps(RESULT))
    shown = tensorboard.TensorBoardWriter(str(root / "logs"))
    for step in range(10, 101, 10):
        shown.scalars(step, train={"loss": 2 - step / 100}, probe={"pair_distance": 1.4})
    shown.flush()
    return str(root)


def _entry(name: str, scene: str, shards: tuple[str, ...] = ()) -> manifest.SequenceEntry:
    return manifest.SequenceEntry(
        name=name, scene=scene, kind=name[0], count=POINTS, shards=shards, checksum=name
    )


def _descriptors(noise: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        name: (rng.normal(size=(1, POINTS, 6)) + noise * rng.normal(size=(16, POINTS, 6))).astype(
            np.float32
        )
        for name, _ in EVAL
    }

"""A pipeline small enough to run whole within a test, on real photographs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.example_gen.formats import demo_photographs
from pipeline.config.tree import PipelineConfig, load_config

PHOTOGRAPHS = ("camera", "coins", "coffee", "chelsea", "brick", "china")
_SMALL = (
    "data.max_points=40",
    "training.stages=[{}, {}]",
    "training.stages.0.points_per_batch=16",
    "training.stages.0.patches_per_point=2",
    "training.stages.0.min_steps=10",
    "training.stages.0.max_steps=20",
    "training.stages.0.promote_below=0.9",
    "training.stages.1.points_per_batch=24",
    "training.stages.1.patches_per_point=3",
    "training.stages.1.learning_rate=2e-2",
    "training.stages.1.schedule=linear",
    "training.stages.1.min_steps=10",
    "training.stages.1.max_steps=30",
    "training.validation.points_per_sequence=20",
)
# A network after 50 small steps is no match for RootSIFT; that it is a descriptor at all shows.
LENIENT = (
    "evaluation.gate.baseline=null",
    "evaluation.gate.floors=[{task: matching, at_least: 0.05}]",
)
STRICT = (
    "evaluation.gate.baseline=null",
    "evaluation.gate.floors=[{task: matching, at_least: 0.99}]",
)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six of the demo's photographs."""
    everything = demo_photographs.materialise(tmp_path_factory.mktemp("everything"))
    folder = tmp_path_factory.mktemp("photographs")
    for path in everything.iterdir():
        if path.stem in PHOTOGRAPHS:
            shutil.copy2(path, folder / path.name)
    return folder


def small_config(work: Path, data: Path, *overrides: str, name: str = "demo") -> PipelineConfig:
    """Returns the demo's configuration with little data, few steps and absolute paths."""
    return load_config(
        name,
        [*_SMALL, *overrides],
        {"data.path": ("--data", str(data)), "work_dir": ("--work", str(work))},
    )

"""Settings of training runs that last seconds."""

import dataclasses
from pathlib import Path
from typing import Any

from trainer.core.config import (
    ControllerConfig,
    ModelConfig,
    StageConfig,
    TrainerConfig,
    ValidationConfig,
)
from trainer.engine.loop import Folders
from trainer.reporting.result import TrainingResult

SMALL_MODEL = ModelConfig(width=0.1, dimension=64)


def small_stage(points: int = 8, patches: int = 2, steps: int = 12, **settings: Any) -> StageConfig:
    """Returns a stage of S `points` and K `patches`."""
    return StageConfig(
        points_per_batch=points, patches_per_point=patches, max_steps=steps, **settings
    )


def small_config(*stages: StageConfig, **settings: Any) -> TrainerConfig:
    """Returns a run of a small network; one stage of 8 x 2 patches and 12 steps by default."""
    defaults: dict[str, Any] = {
        "model": SMALL_MODEL,
        "stages": stages or (small_stage(),),
        "validation": ValidationConfig(every_steps=6, max_points=20),
        # The textures are learned at once; the stages are to last for their steps all the same.
        "controller": ControllerConfig(promote_probe_below=1e-6),
        "steps_per_loop": 2,
    }
    return TrainerConfig(**{**defaults, **settings})


def folders_in(root: Path, **more: str) -> Folders:
    """Returns `out` and `logs` below a folder as what a run writes."""
    return Folders(str(root / "out"), str(root / "logs"), **more)


def training_result(**changes: Any) -> TrainingResult:
    """Returns the result of a run whose second planned stage was not trained."""
    result = TrainingResult(
        run="0123456789abcdef",
        model_path="out/Format-Serving",
        ended="the last stage has had its steps",
        gave_up=False,
        steps=10,
        patches=640,
        best_step=8,
        validation={"e": 0.9, "mean": 0.8},
        rollbacks=1,
        traces=2,
        wall_seconds=3.5,
        cpu_seconds=2.5,
        patches_per_second=256.0,
        input_wait=0.01,
        stages=["S 8 K 2"],
        planned=[
            {"stage": "S 8 K 2", "patches": 640, "trained": 640},
            {"stage": "S 64 K 8", "patches": 5120, "trained": 0},
        ],
        pixels=0.3,
        normalized_loss=0.5,
        shortfall="",
    )
    return dataclasses.replace(result, **changes)

"""How a training run went, in `training_result.json`."""

from __future__ import annotations

import dataclasses
import json
import posixpath
from dataclasses import dataclass

import tensorflow as tf

from trainer.core.errors import UserError
from trainer.core.files import write_text

FILE_NAME = "training_result.json"


@dataclass(frozen=True)
class TrainingResult:
    """How a run went; `training_result.json` holds the same.

    Attributes:
        run: Hash of data, configuration, code and warm start (`trainer.engine.run_identity`).
        model_path: The SavedModel.
        ended: Why the run ended.
        gave_up: Whether it gave up, so that the model is the best of an unfinished run.
        steps: Steps taken, those before rollbacks included.
        patches: Patches seen.
        best_step: Step the exported weights are from.
        validation: Matching mAP of the exported weights on `val` (`e`, `h`, `t`, `mean`);
            empty when there is no `val` data.
        rollbacks: How often the controller went back.
        traces: Compiled training functions (one per batch shape) of the last process.
        wall_seconds: From start to end of `train`; of a run that was interrupted, with what
            earlier processes took up to the checkpoints it went on from.
        cpu_seconds: Processor time of the process over the same.
        patches_per_second: While taking steps.
        input_wait: Share of the stepping time spent waiting for batches.
        stages: The plan, with what the controller changed of it, in words.
    """

    run: str
    model_path: str
    ended: str
    gave_up: bool
    steps: int
    patches: int
    best_step: int
    validation: dict[str, float]
    rollbacks: int
    traces: int
    wall_seconds: float
    cpu_seconds: float
    patches_per_second: float
    input_wait: float
    stages: list[str]


def read(folder: str) -> TrainingResult:
    """Reads the `training_result.json` of a folder.

    Raises:
        UserError: When it cannot be understood.
    """
    path = posixpath.join(folder, FILE_NAME)
    try:
        with tf.io.gfile.GFile(path) as file:
            return TrainingResult(**json.load(file))
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise UserError(
            f"{path}: not the result of a training run ({error}); begin anew with --overwrite"
        ) from error


def write(result: TrainingResult, folder: str) -> None:
    """Writes `training_result.json` into a folder, whole or not at all."""
    text = json.dumps(dataclasses.asdict(result), indent=1)
    write_text(posixpath.join(folder, FILE_NAME), text)

"""The result of a training run, in `training_result.json`."""

from __future__ import annotations

import dataclasses
import json
import posixpath
from dataclasses import dataclass

import tensorflow as tf

from trainer.core.documents import read_json
from trainer.core.errors import UserError
from trainer.core.files import write_text

FILE_NAME = "training_result.json"


@dataclass(frozen=True)
class TrainingResult:
    """Result of a run; the content of `training_result.json`.

    Attributes:
        run: Hash of data, configuration, code and warm start (`trainer.engine.run_identity`).
        model_path: The SavedModel.
        ended: Reason for the end of the run.
        gave_up: Whether the controller gave up; the model is then the best of an unfinished run.
        steps: Number of steps, including those undone by rollbacks.
        patches: Number of patches trained on, with repetition.
        best_step: Step of the exported weights.
        validation: Matching mAP of the exported weights on `val` (`e`, `h`, `t`, `mean`);
            empty when there is no `val` data.
        rollbacks: Number of rollbacks by the controller.
        traces: Number of compiled training functions (one per batch shape) of the last process.
        wall_seconds: From start to end of `train`; of a run that was interrupted, with what
            earlier processes took up to the checkpoints it went on from.
        cpu_seconds: Processor time of the process over the same.
        patches_per_second: Training speed, compilation included and validation not.
        input_wait: Fraction of the stepping time spent waiting for batches.
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
            return TrainingResult(**read_json(file.read()))
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise UserError(
            f"{path}: not the result of a training run ({error}); begin anew with --overwrite"
        ) from error


def write(result: TrainingResult, folder: str) -> None:
    """Writes `training_result.json` into a folder, whole or not at all."""
    text = json.dumps(dataclasses.asdict(result), indent=1)
    write_text(posixpath.join(folder, FILE_NAME), text)

"""The result of a training run, in `training_result.json`."""

from __future__ import annotations

import dataclasses
import json
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
        planned: Each stage of the plan as it was given: `stage` in words, `patches` of its
            maximum of steps, and `trained`, the patches it was really trained on, without those
            of steps that were undone by rollbacks.
        pixels: Matching mAP of normalised pixels on `val`; None when there is no `val` data.
        normalized_loss: Loss of the exported weights on the probe batch, 0 at its floor and 1
            for a network whose descriptors are all equal.
        shortfall: Why the exported model is of no use; "" when nothing says so.
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
    planned: list[dict[str, Any]]
    pixels: float | None
    normalized_loss: float
    shortfall: str


def shortfall(score: float | None, pixels: float | None, normalized_loss: float) -> str:
    """Tells why a model is of no use; "" when nothing says so.

    The loss alone judges only where there is no `val` data: a final batch norm keeps some
    networks that match well above the collapse point.

    Args:
        score: Matching mAP on `val`, 0..1, or None.
        pixels: The same of normalised pixels, or None.
        normalized_loss: Loss on the probe batch, 1 at the collapse point.
    """
    if score is not None and pixels is not None:
        if score >= pixels:
            return ""
        return (
            f"matching mAP on val is {100 * score:.1f}, below the {100 * pixels:.1f} of "
            f"normalised pixels"
        )
    if normalized_loss < 1:
        return ""
    return (
        f"its loss is {normalized_loss:.2f} times that of a network whose descriptors are all equal"
    )


def untrained(planned: Sequence[dict[str, Any]], rollbacks: int) -> str:
    """Tells which planned stages were not trained, and the patches of all; "" when none was missed.

    After rollbacks, stages that had less than half of their patches are told, too.

    Example:
        >>> untrained([{"stage": "S8 K2", "patches": 64, "trained": 64},
        ...            {"stage": "S64 K8", "patches": 2048, "trained": 0}], 1)
        'not trained: S64 K8; patches trained of those planned: S8 K2 64 of 64, S64 K8 0 of 2,048'
    """
    missed = [entry["stage"] for entry in planned if not entry["trained"]]
    short = [
        entry["stage"]
        for entry in planned
        if rollbacks and 0 < entry["trained"] < entry["patches"] / 2
    ]
    told = [
        f"{what}: {', '.join(stages)}"
        for what, stages in (("not trained", missed), ("trained by less than half", short))
        if stages
    ]
    if not told:
        return ""
    counts = (f"{entry['stage']} {entry['trained']:,} of {entry['patches']:,}" for entry in planned)
    return "; ".join([*told, f"patches trained of those planned: {', '.join(counts)}"])


def not_as_planned(result: TrainingResult) -> list[str]:
    """Returns a sentence on each way in which a training did not go as planned."""
    sentences = []
    if result.gave_up:
        sentences.append(f"{result.ended}; the model is the best of an unfinished run")
    if missed := untrained(result.planned, result.rollbacks):
        sentences.append(missed)
    if not result.best_step:
        sentences.append("no step made it better on val: the model is what it started from")
    if result.shortfall:
        sentences.append(f"the model is of no use: {result.shortfall}")
    return sentences


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

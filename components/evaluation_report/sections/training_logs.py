"""Reads the curves that TensorBoard shows of a training run."""

from __future__ import annotations

import posixpath

import numpy as np
import tensorflow as tf

from components.core import files

LOGS = "logs"


def read_curves(model_run: str, tags: tuple[str, ...]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns steps int64 [n] and values float64 [n] by tag.

    A run that went on after an interruption wrote some steps twice: what was written last
    stands. A damaged end of a file (the process was killed) is left out.

    Args:
        model_run: The trainer's output.
        tags: E.g. `train/loss`; those that are not there are left out.
    """
    folder = posixpath.join(model_run, LOGS)
    curves: dict[str, dict[int, float]] = {}
    names = files.list_folder(folder) if model_run and files.is_folder(folder) else []
    for name in names:  # their names begin with the time, so the newest comes last
        if ".tfevents." not in name:
            continue
        try:
            for event in tf.compat.v1.train.summary_iterator(posixpath.join(folder, name)):
                for value in event.summary.value:
                    if value.tag in tags and value.WhichOneof("value") == "simple_value":
                        curves.setdefault(value.tag, {})[event.step] = value.simple_value
        except tf.errors.DataLossError:
            continue
    return {
        tag: (np.array(steps := sorted(values)), np.array([values[step] for step in steps]))
        for tag, values in curves.items()
    }

"""Checkpoints on disk: written under a temporary name, good only with their last file.

Renaming a folder is not atomic on object stores, so the file with the state, written after
the rename, is the mark of a complete checkpoint.
"""

from __future__ import annotations

import json
import posixpath
from typing import Any

import tensorflow as tf

from trainer.files import replace_folder, write_text, writing
from trainer.learner import Learner

_STATE = "state.json"


class CheckpointStore:
    """The last checkpoints of a run in a folder.

    Args:
        folder: Where they go.
        keep: How many.
    """

    def __init__(self, folder: str, keep: int = 2) -> None:
        self._folder = folder
        self._keep = keep

    def save(self, learner: Learner, step: int, state: dict[str, Any]) -> str:
        """Writes weights, optimizer and `state` (JSON) and returns the checkpoint's folder."""
        final = posixpath.join(self._folder, f"step-{step:08d}")
        temporary = final + ".tmp"
        with writing(final):
            if tf.io.gfile.exists(temporary):
                tf.io.gfile.rmtree(temporary)
            tf.io.gfile.makedirs(temporary)
            _tracked(learner).write(posixpath.join(temporary, "variables"))
            replace_folder(temporary, final)
        write_text(posixpath.join(final, _STATE), json.dumps(state))
        for old in self._complete()[: -self._keep]:
            tf.io.gfile.rmtree(posixpath.join(self._folder, old))
        return final

    def clear(self) -> None:
        """Removes all checkpoints: a run from the first step must not find an earlier run's."""
        with writing(self._folder):
            if tf.io.gfile.isdir(self._folder):
                tf.io.gfile.rmtree(self._folder)

    def restore(self, learner: Learner) -> dict[str, Any] | None:
        """Loads the newest complete checkpoint; returns its state, or None without one."""
        complete = self._complete()
        if not complete:
            return None
        folder = posixpath.join(self._folder, complete[-1])
        _tracked(learner).read(posixpath.join(folder, "variables")).assert_consumed()
        with tf.io.gfile.GFile(posixpath.join(folder, _STATE)) as file:
            return json.load(file)

    def _complete(self) -> list[str]:
        if not tf.io.gfile.isdir(self._folder):
            return []
        names = sorted(name.rstrip("/") for name in tf.io.gfile.listdir(self._folder))
        return [
            name
            for name in names
            if name.startswith("step-")
            and not name.endswith(".tmp")
            and tf.io.gfile.exists(posixpath.join(self._folder, name, _STATE))
        ]


def _tracked(learner: Learner) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(model=learner.model, optimizer=learner.optimizer)

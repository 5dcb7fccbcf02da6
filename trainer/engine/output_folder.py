"""What becomes of an output folder that an earlier run has left something in."""

from __future__ import annotations

import os
import posixpath
import re
from typing import Literal

import tensorflow as tf

from trainer.core.errors import UserError
from trainer.core.files import remove_folder, writing
from trainer.engine import run_identity
from trainer.engine.checkpoints import CheckpointStore
from trainer.engine.run_identity import RunIdentity
from trainer.model.names import SERVING_DIR
from trainer.reporting import result, timeline

CHECKPOINTS = "checkpoints"
LOGS = "logs"
_RUN = re.compile(r"[0-9a-f]{16}")  # a run's hash, which names the folder of its checkpoints

Existing = Literal["replace", "refuse", "resume", "overwrite"]
"""What to do with an earlier run's work.

- `replace`: Go on from the same run's checkpoints; replace a result, leave other checkpoints.
- `refuse`: Go on from the same run's checkpoints; a result or another run's are an error.
- `resume`: Like `refuse`, but the same run's result is no error: there is nothing left to do.
  Nor is it one with `refuse` while checkpoints of the run are left: the run was killed at the
  very end, and the same command goes on with it.
- `overwrite`: Delete what runs have left in the output folder and this run's checkpoints
  wherever they lie, and begin anew.
"""


def is_finished(
    folder: str, checkpoint_dir: str, identity: RunIdentity, existing: Existing
) -> bool:
    """Looks whether an output folder is free; changes nothing.

    Args:
        folder: To hold the results; need not be there.
        checkpoint_dir: Holds a folder of checkpoints per run.
        identity: The run that wants the folder.
        existing: Treatment of an earlier run's work (`Existing`).

    Returns:
        Whether this very run has ended already and is not to be repeated.

    Raises:
        UserError: When the folder is not to be had.
    """
    if existing in ("replace", "overwrite"):
        return False
    finished = tf.io.gfile.exists(posixpath.join(folder, result.FILE_NAME))
    _refuse_other_runs(folder, checkpoint_dir, identity, finished)
    tidied = not tf.io.gfile.isdir(posixpath.join(checkpoint_dir, identity.hash))
    if finished and tidied and existing == "refuse":
        raise UserError(
            f"{folder}: holds the finished result of this very run, expected an output folder "
            f"without one; choose another, or begin anew with --overwrite"
        )
    return finished


def claim(folder: str, checkpoint_dir: str, identity: RunIdentity, existing: Existing) -> None:
    """Makes an output folder this run's own: from here on earlier work is lost.

    What this run has packed stays. Other runs' checkpoints are deleted (with `overwrite`) only
    in the output folder's own `checkpoints`: elsewhere they may belong to other output folders.

    Raises:
        UserError: When it cannot be written.
    """
    overwrite = existing == "overwrite"
    with writing(folder):
        if overwrite:
            _clear(folder)
            CheckpointStore(posixpath.join(checkpoint_dir, identity.hash)).clear(packed=False)
        _remove(posixpath.join(folder, result.FILE_NAME))
    if _whole(checkpoint_dir) == posixpath.join(_whole(folder), CHECKPOINTS):
        for store in _other_runs(checkpoint_dir, identity):
            # One without checkpoints died early: nothing but its packed patches may be there.
            if overwrite or not len(store):
                store.clear()
    run_identity.write(identity, folder)


def _refuse_other_runs(
    folder: str, checkpoint_dir: str, identity: RunIdentity, finished: bool
) -> None:
    """Raises a UserError when there is a result or a checkpoint of a run that is not this one.

    In a folder of checkpoints elsewhere, which other output folders may share, only those of
    the run that this output folder says it is of count.
    """
    there = run_identity.read(folder)
    if there is not None and there.hash == identity.hash:
        return
    others = _other_runs(checkpoint_dir, identity)
    if not f"{_whole(checkpoint_dir)}/".startswith(f"{_whole(folder)}/"):
        others = [store for store in others if there and store.folder.endswith(there.hash)]
    if not finished and not any(len(store) for store in others):
        return
    what = "the finished result" if finished else "checkpoints"
    differs = there.differences(identity) if there else "it does not say what it was trained from"
    raise UserError(
        f"{folder}: holds {what} of another run (what differs: {differs}), expected an "
        f"output folder of its own for each run; choose another, or begin anew with --overwrite"
    )


def _clear(folder: str) -> None:
    """Deletes what runs write except checkpoints, and nothing else that may lie there."""
    names = (
        result.FILE_NAME,
        run_identity.FILE_NAME,
        timeline.FILE_NAME,
        SERVING_DIR,
        LOGS,
    )
    for name in names:
        _remove(posixpath.join(folder, name))


def _other_runs(checkpoint_dir: str, identity: RunIdentity) -> list[CheckpointStore]:
    """Returns what runs other than this one keep in a folder of checkpoints."""
    if not tf.io.gfile.isdir(checkpoint_dir):
        return []
    names = sorted(name.rstrip("/") for name in tf.io.gfile.listdir(checkpoint_dir))
    return [
        CheckpointStore(posixpath.join(checkpoint_dir, name))
        for name in names
        if _RUN.fullmatch(name) and name != identity.hash
    ]


def _whole(path: str) -> str:
    """Returns the one spelling of a path by which two can be compared."""
    return posixpath.normpath(path) if "://" in path else os.path.realpath(path)


def _remove(path: str) -> None:
    if tf.io.gfile.isdir(path):
        remove_folder(path)
    elif tf.io.gfile.exists(path):
        tf.io.gfile.remove(path)

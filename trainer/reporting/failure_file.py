"""Why a run failed, in a file: of a job on another machine nothing else comes back."""

from __future__ import annotations

import contextlib
import json
import posixpath
from dataclasses import dataclass

from trainer.core.documents import read_json
from trainer.core.errors import UserError


@dataclass(frozen=True)
class Failure:
    """What a failed run says.

    Attributes:
        exit_status: Exit status of `python -m trainer`; 2: the user can fix it, 143: SIGTERM.
        message: One sentence.
    """

    exit_status: int
    message: str


def write(path: str | None, exit_status: int, message: str) -> None:
    """Writes a failure, whole or not at all; what goes wrong with that hides nothing.

    Without a path there is nobody to tell.
    """
    if path is None:
        return
    import tensorflow as tf

    from trainer.core import files

    text = json.dumps({"exit_status": exit_status, "message": message})
    with contextlib.suppress(UserError, OSError, tf.errors.OpError):
        tf.io.gfile.makedirs(posixpath.dirname(path) or ".")
        files.write_text(path, text)


def remove(path: str | None) -> None:
    """Removes what an earlier attempt has left."""
    if path is None:
        return
    import tensorflow as tf

    with contextlib.suppress(OSError, tf.errors.OpError):
        if tf.io.gfile.exists(path):
            tf.io.gfile.remove(path)


def read(path: str) -> Failure | None:
    """Returns the failure in a file; None when there is none that can be understood."""
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path) as file:
            said = read_json(file.read())
        return Failure(int(said["exit_status"]), str(said["message"]))
    except (OSError, ValueError, TypeError, KeyError, tf.errors.OpError):
        return None

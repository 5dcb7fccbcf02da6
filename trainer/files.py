"""Writing whole files or none, on local disks and object stores alike."""

from __future__ import annotations

import tensorflow as tf


def write_text(path: str, text: str) -> None:
    """Writes a text file under a temporary name and renames it."""
    with tf.io.gfile.GFile(path + ".tmp", "w") as file:
        file.write(text)
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


def replace_folder(temporary: str, final: str) -> None:
    """Renames a finished folder, in place of what was there."""
    if tf.io.gfile.exists(final):
        tf.io.gfile.rmtree(final)
    tf.io.gfile.rename(temporary, final)

"""Which model is in production: the newest whole version at the push destination.

The destination has TensorFlow Serving's layout: one folder per version, named by an
integer, each a SavedModel. A version is whole once its `saved_model.pb` is there, because
that file is written last.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from components.core import files
from trainer.model.names import SAVED_MODEL_FILE

_VERSION = re.compile(r"0|[1-9][0-9]{0,17}")
NO_PRODUCTION = "none"
"""What `current_checksum` says when nothing has been pushed yet."""


@dataclass(frozen=True)
class ServedModel:
    """The model in production.

    Attributes:
        version: Name of its folder, as a number.
        path: The SavedModel.
        checksum: sha256 over the SavedModel's file names and bytes, its card left out.
    """

    version: int
    path: str
    checksum: str


def version_numbers(destination: str) -> tuple[int, ...]:
    """Returns every integer-named folder, whole or not, in ascending order.

    Empty when the destination does not exist. `007` is no version: it would have the same
    number as `7`. Nor is one of more than 18 digits: a model server counts in int64.
    """
    return tuple(sorted(int(n) for n in files.names(destination) if _VERSION.fullmatch(n)))


def versions(destination: str) -> tuple[int, ...]:
    """Returns the whole versions in ascending order; the last one is in production."""
    return tuple(v for v in version_numbers(destination) if is_whole(destination, v))


def is_whole(destination: str, version: int) -> bool:
    """True when the version's SavedModel was written to its end."""
    return files.exists(files.join(destination, str(version), SAVED_MODEL_FILE))


def find(destination: str) -> ServedModel | None:
    """Returns the model in production, or None when nothing has been pushed yet.

    Temporary and half-written folders are passed over.

    Args:
        destination: Folder that the model server watches; local or `gs://`.
    """
    whole = versions(destination)
    return load_version(destination, whole[-1]) if whole else None


def load_version(destination: str, version: int) -> ServedModel:
    """Describes one version of the destination (reads all its bytes for the checksum)."""
    path = posixpath.join(destination, str(version))
    return ServedModel(version=version, path=path, checksum=checksum(path))


def current_checksum(destination: str) -> str:
    """Returns production's checksum or `NO_PRODUCTION`.

    The local runner passes it to `ProductionModel` as a parameter, so that this
    component's cache key changes exactly when production changes.
    """
    production = find(destination)
    return production.checksum if production else NO_PRODUCTION


def checksum(saved_model: str) -> str:
    """sha256 over the SavedModel's file names and bytes, its card left out."""
    from trainer.model import export  # late: loads TensorFlow and tf_keras

    return export.model_checksum(saved_model)


def copy(source: str, target: str, rewritten: Mapping[str, str] | None = None) -> None:
    """Copies a SavedModel, `saved_model.pb` last.

    Args:
        source: A SavedModel folder.
        target: Folder of the copy.
        rewritten: Text that some of its files get in the copy, by their names below the folder.
    """
    import tensorflow as tf  # late: ten seconds

    source, texts = source.rstrip("/"), rewritten or {}
    names = [status.path[len(source) + 1 :] for status in files.files_under(source)]
    # Rewritten ones behind the first copied one, which fails where another copy is being made.
    for name in sorted(names, key=lambda name: (name == SAVED_MODEL_FILE, name in texts, name)):
        copied = files.join(target, name)
        if name in texts:
            files.write_text(copied, texts[name])
            continue
        tf.io.gfile.makedirs(posixpath.dirname(copied))
        tf.io.gfile.copy(files.join(source, name), copied)

"""Which object stores a run can lie in.

Every executor reads and writes through TensorFlow's files, whose one object store is Google
Cloud Storage. Those that read S3 and MinIO come with tensorflow-io, whose last release is
built for TensorFlow 2.16: with it half of the versions that this project runs on would do.
"""

from __future__ import annotations

from collections.abc import Iterable

from trainer.core.errors import UserError

STORE = "gs://"
"""How the folders of a run begin."""


def check(folders: Iterable[str]) -> None:
    """Refuses folders in an object store that tasks cannot read or write.

    Raises:
        UserError: With the folder, and what to do.
    """
    for folder in folders:
        if "://" in folder and not folder.startswith(STORE):
            raise UserError(f"{folder}: {reason(folder)}")


def reason(folder: str) -> str:
    """Returns in words why a folder in another object store will not do."""
    scheme = folder.partition("://")[0]
    return (
        f"tasks cannot read or write {scheme}://, which TensorFlow's files do not know (S3 and "
        f"MinIO, Kubeflow's default pipeline root, were part of tensorflow-io, which is not made "
        f"for newer TensorFlow); expected a folder in Google Cloud Storage, {STORE}BUCKET/FOLDER, "
        f"for the pipeline root, the data and the models"
    )

"""Empty objects that stand for folders, which Kubeflow's launcher cannot download.

TensorFlow's file system for Cloud Storage writes an object `dir/` for every folder that it
makes. The launcher makes a file of it and then cannot make the folder, so that every task
that takes the artifact fails (https://github.com/kubeflow/pipelines/issues/13476). No reader
needs them: a folder is there when an object below it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from absl import logging

from components.kubeflow.object_stores import STORE
from trainer.core.errors import UserError


def remove(folders: Iterable[str]) -> int:
    """Deletes and counts the markers of folders and below them; what is in no bucket has none.

    Raises:
        UserError: When a bucket cannot be looked at or changed.
    """
    remote = [folder for folder in folders if folder.startswith(STORE)]
    if not remote:
        return 0
    from google.api_core.exceptions import GoogleAPIError, NotFound  # a second
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage import Client

    count = 0
    for folder in remote:
        try:
            client = Client()
            bucket, _, prefix = folder.removeprefix(STORE).rstrip("/").partition("/")
            for blob in client.list_blobs(bucket, prefix=f"{prefix}/"):
                if blob.name.endswith("/") and not blob.size:
                    try:
                        blob.delete()
                    except NotFound:  # an attempt before this one is still at it
                        continue
                    count += 1
        except (GoogleAPIError, GoogleAuthError) as error:
            said = " ".join(str(getattr(error, "message", "") or error).split())
            raise UserError(
                f"{folder}: the empty objects that stand for its folders cannot be deleted "
                f"({said}); expected an account that may list and delete objects there, e.g. with "
                f"roles/storage.objectUser"
            ) from error
    if count:
        logging.info("Deleted %d empty objects that stood for folders", count)
    return count

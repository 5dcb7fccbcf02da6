"""A pod of Kubeflow Pipelines on this machine: what its launcher does around a task's command.

What the launcher does in `backend/src/v2/component/launcher_v2.go`, and with objects in
`objectstore/object_store.go`, is done here in the same order and with the same faults: every input
is downloaded, objects that stand for folders as files, and what a task leaves at the local
path of an output is uploaded. A task sees its own pod's folder and what a cluster gives to pods.
"""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trainer.core.errors import UserError

LOGS = "executor-logs"
"""The output that the driver adds to every task since Kubeflow Pipelines 2.5."""

_STORE = "gs://"
_LOCAL_NAMES = {"gs": "gcs", "minio": "minio", "s3": "s3"}
# What a cluster gives to its pods (the way out, and who they are), and what Python needs here.
_FROM_OUTSIDE = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CLOUDSDK_CONFIG",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "GCS_READ_CACHE_BLOCK_SIZE_MB",
    "NO_GCE_CHECK",
)


def with_logs(outputs: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Returns planned outputs with the one that Kubeflow's driver adds.

    Args:
        outputs: The ExecutorInput's `outputs`.
        root: Folder of the task's artifacts.
    """
    logs = {
        "name": LOGS,
        "uri": posixpath.join(root, LOGS),
        "type": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"},
        "metadata": {},
    }
    return {**outputs, "artifacts": {**outputs["artifacts"], LOGS: {"artifacts": [logs]}}}


class Pod:
    """One attempt at a task."""

    def __init__(self, folder: Path) -> None:
        """Makes the pod's folder, which is all of a disk that the task is told of."""
        self._folder = folder
        (folder / "tmp").mkdir(parents=True, exist_ok=True)

    def environment(self) -> dict[str, str]:
        """Returns all variables of the task but those of its container."""
        given = {name: os.environ[name] for name in _FROM_OUTSIDE if name in os.environ}
        # A pod is told who it is; here that is who runs this.
        given.setdefault("CLOUDSDK_CONFIG", str(Path.home() / ".config" / "gcloud"))
        home = str(self._folder)
        return {**given, "HOME": home, "TMPDIR": f"{home}/tmp", "PWD": home}

    def local_path(self, uri: str) -> Path:
        """Returns where an artifact is a file or folder of the pod's disk."""
        scheme, separator, rest = uri.partition("://")
        name = _LOCAL_NAMES.get(scheme, scheme) if separator else "local"
        return self._folder / name / (rest if separator else uri.lstrip("/"))

    def start(self, task: str, planned: Mapping[str, Any]) -> None:
        """Downloads every input and makes the folders that outputs are to be in.

        Raises:
            UserError: Where the launcher would fail.
        """
        for key, listed in planned["inputs"]["artifacts"].items():
            if not listed["artifacts"]:
                continue
            uri = listed["artifacts"][0]["uri"]
            try:
                _download(uri, self.local_path(uri))
            except OSError as error:
                raise UserError(
                    f"{task}: the launcher cannot download the input {key} from {uri} "
                    f"({error.filename}: {error.strerror}); expected objects of which none stands "
                    f"where another one has a folder, as those do whose names end in /"
                ) from error
        for listed in planned["outputs"]["artifacts"].values():
            for artifact in listed["artifacts"]:
                self.local_path(artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)

    def finish(self, planned: Mapping[str, Any], log: Path) -> None:
        """Uploads what the task has left on the pod's disk, and its log."""
        for key, listed in planned["outputs"]["artifacts"].items():
            for artifact in listed["artifacts"]:
                local = self.local_path(artifact["uri"])
                if key == LOGS:
                    shutil.copyfile(log, local)
                if local.exists():
                    _upload(local, artifact["uri"])


def _download(uri: str, local: Path) -> None:
    """Copies every object below a URI, in the order of their names, to a file each."""
    for relative, content in _objects(uri):
        path = local / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _objects(uri: str) -> Iterator[tuple[str, bytes]]:
    """Yields the objects at and below a URI: the rest of the name, and the content."""
    if uri.startswith(_STORE):
        bucket, _, key = uri.removeprefix(_STORE).rstrip("/").partition("/")
        for blob in _client().list_blobs(bucket, prefix=key):
            if blob.name == key or blob.name.startswith(f"{key}/"):
                yield posixpath.relpath(blob.name, key), blob.download_as_bytes()
        return
    there = Path(uri)
    for path in [there] if there.is_file() else sorted(there.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(there)), path.read_bytes()


def _upload(local: Path, uri: str) -> None:
    """Copies a file or every file of a folder to an object each."""
    for path in [local] if local.is_file() else sorted(local.rglob("*")):
        if not path.is_file():
            continue
        target = uri if path == local else f"{uri}/{path.relative_to(local)}"
        if uri.startswith(_STORE):
            bucket, _, key = target.removeprefix(_STORE).partition("/")
            _client().bucket(bucket).blob(key).upload_from_filename(path)
        else:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _client() -> Any:
    from google.cloud.storage import Client  # a second

    return Client()

"""Where to submit to: addresses, and how to get in. Checked without any client's imports."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import urllib.parse
from pathlib import Path

from components.descriptor_trainer.vertex.address import Address
from trainer.core.errors import UserError

HOST_VARIABLE = "KF_PIPELINES_ENDPOINT"  # kfp's own
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_PROJECT = re.compile(r"([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|\d+")
_LOCATION = re.compile(r"[a-z]+-[a-z]+\d+")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Where Kubeflow Pipelines is and how to get in.

    Attributes:
        host: Address that the API is below.
        namespace: Namespace in a Kubeflow for several users; None for one without users.
        token: Bearer token; None for none.
        ca_cert: File with the certificate of who signed the server's; None for public ones.
    """

    host: str
    namespace: str | None = None
    token: str | None = dataclasses.field(default=None, repr=False)
    ca_cert: str | None = None


def region(project: str | None, location: str | None) -> Address:
    """Returns where to run on Vertex AI.

    Raises:
        UserError: When project or region are missing, or malformed.
    """
    if not project or not _PROJECT.fullmatch(project):
        raise UserError(
            f"--project: found {project or 'none'}, expected the id of a Google Cloud project, "
            "e.g. my-project-123"
        )
    if not location or not _LOCATION.fullmatch(location):
        raise UserError(
            f"--location: found {location or 'none'}, expected a region, e.g. us-central1"
        )
    return Address(project, location)


def cluster(
    host: str | None,
    namespace: str | None = None,
    token_file: str | None = None,
    ca_cert: str | None = None,
) -> Cluster:
    """Returns where to run on Kubeflow.

    Args:
        host: Address; None: that of the environment's `KF_PIPELINES_ENDPOINT`.
        namespace: See `Cluster`.
        token_file: File that holds the token, which does not belong on a command line.
        ca_cert: See `Cluster`.

    Raises:
        UserError: When the address is missing, or a file cannot be used.
    """
    host = (host or os.environ.get(HOST_VARIABLE, "")).rstrip("/")
    if not host.startswith(("http://", "https://")):
        raise UserError(
            f"--host: found {host or 'none'}, expected the address of Kubeflow Pipelines, e.g. "
            f"https://KUBEFLOW/pipeline (or ${HOST_VARIABLE})"
        )
    if ca_cert is not None and not Path(ca_cert).is_file():
        raise UserError(f"--ca-cert: found no file {ca_cert!r}, expected a certificate (PEM)")
    return Cluster(host, namespace, token_file and _token(token_file), ca_cert)


def exposures(place: Cluster, token_file: str | None) -> list[str]:
    """Returns who else could come to know the token, a sentence each; none without a token."""
    if token_file is None:
        return []
    said = []
    url = urllib.parse.urlsplit(place.host)
    if url.scheme == "http" and url.hostname not in _THIS_MACHINE:
        said.append(
            f"--host: {place.host} is no https, so that whoever is on the way can read the token"
        )
    mode = stat.S_IMODE(Path(token_file).stat().st_mode)
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        said.append(
            f"--token-file: others on this machine can read {token_file} (mode {mode:03o}); "
            "`chmod 600` keeps it to you"
        )
    return said


def _token(path: str) -> str:
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--token-file: {path} cannot be read ({error})") from error
    if not token or any(letter.isspace() for letter in token):
        raise UserError(f"--token-file: expected one token and nothing else in {path}")
    return token

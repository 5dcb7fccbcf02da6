"""What the check asks of buildah: chroot isolation, which needs root but no Docker."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SHOWN_LINES = 15
_STORE = "CONTAINERS_STORAGE_CONF"


class CheckError(Exception):
    """The images are not what they have to be; one sentence."""


@dataclass(frozen=True)
class Ran:
    """How a command in a container ended.

    Attributes:
        status: Exit status.
        output: Standard output and error.
    """

    status: int
    output: str

    def checked(self, what: str) -> Ran:
        """Returns itself.

        Args:
            what: The command in words, for the message.

        Raises:
            CheckError: When the exit status is not 0; with the last lines of the output.
        """
        if self.status:
            tail = "\n".join(self.output.splitlines()[-_SHOWN_LINES:])
            raise CheckError(f"{what} failed with status {self.status}:\n{tail}")
        return self


@dataclass(frozen=True)
class Container:
    """A container made of an image, until `working_container` is left.

    Attributes:
        name: In buildah's store.
        root: Where its file system is mounted.
    """

    name: str
    root: Path

    def run(
        self,
        command: Sequence[str],
        *,
        volumes: Mapping[Path, str] | None = None,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> Ran:
        """Runs a command as the image's user.

        Args:
            command: Program and arguments.
            volumes: Folders of this machine and where the command finds them.
            environment: Added to the image's.
            log: File that gets the output, too.
        """
        options = ["--isolation", "chroot"]
        for source, target in (volumes or {}).items():
            options += ["--volume", f"{source}:{target}"]
        for name, value in (environment or {}).items():
            options += ["--env", f"{name}={value}"]
        ran = _run(["buildah", "run", *options, self.name, "--", *command])
        if log is not None:
            log.write_text(ran.output)
        return ran


def build(
    context: Path,
    target: str,
    image: str,
    arguments: Mapping[str, str],
    secrets: Mapping[str, Path],
    log: Path,
) -> None:
    """Builds a target of the Dockerfile.

    Args:
        context: Folder of the Dockerfile.
        target: Stage of the Dockerfile.
        image: Name of the result.
        arguments: Build arguments.
        secrets: File by the secret's id.
        log: Gets the output.

    Raises:
        CheckError: When it cannot be built.
    """
    # HEALTHCHECK is a part of Docker's format only; layers serve the next target.
    options = ["--isolation", "chroot", "--format", "docker", "--layers", "--target", target]
    for name, value in arguments.items():
        options += ["--build-arg", f"{name}={value}"]
    for name, path in secrets.items():
        options += ["--secret", f"id={name},src={path}"]
    ran = _run(["buildah", "build", *options, "--tag", image, str(context)])
    log.write_text(ran.output)
    ran.checked(f"building {target} (log: {log})")


def inspect(image: str) -> dict[str, Any]:
    """Returns what the image says about itself, the history of its layers included."""
    ran = _run(["buildah", "inspect", "--type", "image", image]).checked(f"inspecting {image}")
    return json.loads(ran.output)


def size(image: str) -> int:
    """Returns the bytes of an image's layers, not compressed."""
    ran = _run(["buildah", "images", "--json", image]).checked(f"measuring {image}")
    text = json.loads(ran.output)[0]["size"]
    number, unit = text.split()
    return round(float(number) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit.upper()])


@contextlib.contextmanager
def own_store(folder: Path, *, keep: bool) -> Iterator[None]:
    """Has buildah, and whatever is started meanwhile, keep everything in a folder.

    Args:
        folder: Made when absent.
        keep: Whether images stay there in the end.
    """
    folder.mkdir(parents=True)
    config = folder / "storage.conf"
    config.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n'
    )
    before = os.environ.get(_STORE)
    os.environ[_STORE] = str(config)
    try:
        yield
    finally:
        _run(["buildah", "rm", "--all"])
        if not keep:
            _run(["buildah", "rmi", "--all", "--force"])
            _run(["umount", "--lazy", f"{folder}/root/overlay"])
            shutil.rmtree(folder, ignore_errors=True)
        if before is None:
            del os.environ[_STORE]
        else:
            os.environ[_STORE] = before


@contextlib.contextmanager
def working_container(image: str) -> Iterator[Container]:
    """Makes a container, mounts it, and removes it in the end."""
    name = _run(["buildah", "from", "--pull-never", image]).checked(f"starting from {image}")
    container = name.output.strip().splitlines()[-1]
    try:
        mounted = _run(["buildah", "mount", container]).checked(f"mounting {container}")
        yield Container(container, Path(mounted.output.strip()))
    finally:
        _run(["buildah", "rm", container])


def _run(command: Sequence[str]) -> Ran:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return Ran(done.returncode, done.stdout)

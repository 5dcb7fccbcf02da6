"""`make image-check`: builds both images without Docker and runs the pipeline in them.

Needs root on Debian or Ubuntu: it installs `buildah` and `debootstrap` where they are missing,
and mounts file systems. Images and containers are in a store of its own, which goes in the end.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.image_check import buildah, checks
from tools.image_check.buildah import CheckError

ROOT = Path(__file__).parents[2]
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
INDEX_VARIABLES = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
)
_TOOLS = ("buildah", "debootstrap")
_TAG = "check"
_SPACE = 20e9


def main(arguments: list[str] | None = None) -> int:
    """Runs the check; returns 0 when the images are as they have to be."""
    parser = argparse.ArgumentParser(prog="python -m tools.image_check", description=__doc__)
    parser.add_argument("--base", help="image to pull instead of making a base here")
    parser.add_argument(
        "--until",
        default="DescriptorTrainer",
        help="last task to run in the image, e.g. Pusher (default: %(default)s)",
    )
    parser.add_argument("--keep", action="store_true", help="leave the images where they are")
    parser.add_argument(
        "--work", default="/var/tmp", help="folder with 20 GB of space (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{(time.monotonic() - began) / 60:4.1f} min] {text}", flush=True)

    folder = Path(tempfile.mkdtemp(prefix="image-check-", dir=options.work))
    say(f"logs, images and containers are in {folder}")
    try:
        _requirements(folder, say)
        with buildah.own_store(folder / "store", keep=options.keep):
            _check(folder, options.base, options.until, say)
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not options.keep:  # after a failure the logs stay
        shutil.rmtree(folder)
    say("the images are as they have to be")
    return 0


def _check(folder: Path, base: str | None, until: str, say: checks.Say) -> None:
    if base is None:
        base = f"localhost/hpatches-base:{_TAG}"
        say("making a base image: Debian 13")
        _make_base(folder, base)
    canary = secrets.token_hex(16)
    given = _secrets(folder, canary)
    images = {}
    for target in ("trainer-tpu", "pipeline"):
        image = images[target] = f"localhost/hpatches-{target}:{_TAG}"
        say(f"building {target}")
        arguments = {"BASE_IMAGE": base, "REVISION": "image-check"}
        buildah.build(ROOT, target, image, arguments, given, folder / f"build-{target}.log")
        say(checks.image(image, target, [canary, *_values(given["index"])]))
    checks.pipeline_runs(images["pipeline"], folder / "run", until, say)
    checks.tpu_trainer_runs(images["trainer-tpu"], images["pipeline"], folder / "run", say)


def _requirements(folder: Path, say: checks.Say) -> None:
    """Sees to root, space and tools.

    Raises:
        CheckError: When one of them is not to be had.
    """
    if os.geteuid() != 0:
        raise CheckError("image-check needs root: it installs packages and mounts file systems")
    free = shutil.disk_usage(folder).free
    if free < _SPACE:
        raise CheckError(
            f"found {free / 1e9:.0f} GB of space in {folder.parent}, expected {_SPACE / 1e9:.0f}; "
            "name another folder with --work"
        )
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise CheckError(f"{' and '.join(missing)} missing and no apt-get to install it with")
    say(f"installing {' and '.join(missing)} with apt-get")
    _command(["apt-get", "update"], "apt-get update")
    _command(
        ["apt-get", "install", "--yes", "--no-install-recommends", *missing], "apt-get install"
    )


def _make_base(folder: Path, name: str) -> None:
    script = Path(__file__).with_name("make-base")
    _command([str(script), str(folder / "base"), name], "making the base image")
    shutil.rmtree(folder / "base")


def _secrets(folder: Path, canary: str) -> dict[str, Path]:
    """Writes the build's secrets: this machine's index, if it names one, and certificates."""
    index = folder / "index"
    lines = [f"IMAGE_CHECK_CANARY={canary}"]
    lines += [f"{name}='{os.environ[name]}'" for name in INDEX_VARIABLES if os.environ.get(name)]
    index.write_text("\n".join(lines) + "\n")
    given = {"index": index}
    return given | ({"certificates": CERTIFICATES} if CERTIFICATES.exists() else {})


def _values(index: Path) -> list[str]:
    """Returns what no image may hold: everything that the secret names."""
    return [line.partition("=")[2].strip("'") for line in index.read_text().splitlines()]


def _command(command: list[str], what: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    buildah.Ran(done.returncode, done.stdout).checked(what)


if __name__ == "__main__":
    sys.exit(main())

"""The installer uv, in a folder of its own, on a Python that may lack pip."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.set_up.problem import SetUpError
from tools.set_up.system import install_pip

# Debian keeps ensurepip's copy of pip in a package apart.
_DEBIANS_PACKAGE = "python3-pip-whl"
_DEBIANS_WHEELS = Path("usr/share/python-wheels")


def get_uv(folder: Path, lock: Path, about: dict[str, str]) -> Path:
    """Installs uv, whatever this Python has.

    The address of the package index is pip's matter: its default, or what its settings say.

    Args:
        folder: Gets uv and what is needed on the way.
        lock: Versions and hashes.
        about: The system (`system.release`).

    Returns:
        The program.

    Raises:
        SetUpError: When there is no pip to be had, or no uv.
    """
    pip = _pip(folder)
    if pip is None:
        raise SetUpError(
            f"{sys.executable} has neither pip nor the module ensurepip, one of which installs "
            f"uv: {install_pip(about)}"
        )
    target = folder / "uv"
    # Errors alone: pip warns of each index in its settings that lacks uv.
    command = [*pip, "install", "-qq", "--disable-pip-version-check", "--target", str(target)]
    done = subprocess.run(
        [*command, "--require-hashes", "--requirement", str(lock)],
        # PIP_USER does not go with --target.
        env={**os.environ, "PIP_USER": "0", "PIP_ROOT_USER_ACTION": "ignore"},
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        raise SetUpError(
            f"pip could not install {lock} (its message is above): see to the connection, or "
            "name the index that this machine reaches in PIP_INDEX_URL"
        )
    return target / "bin" / "uv"


def _pip(folder: Path) -> list[str] | None:
    """Returns a command that runs pip, or None."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("ensurepip"):
        environment = folder / "pip"
        done = subprocess.run(
            [sys.executable, "-m", "venv", str(environment)], stdout=subprocess.DEVNULL, check=False
        )
        return None if done.returncode else [str(environment / "bin" / "python"), "-m", "pip"]
    wheel = _debians_wheel(Path("/")) or _downloaded_wheel(folder / "debian")
    return [sys.executable, str(wheel / "pip")] if wheel else None


def _debians_wheel(root: Path) -> Path | None:
    return next((root / _DEBIANS_WHEELS).glob("pip-*.whl"), None)


def _downloaded_wheel(folder: Path) -> Path | None:
    """Downloads the wheel as apt does, signatures checked, without installing it."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    # Lists and cache in the folder, so that nobody has to be root.
    own = ["apt-get", "-qq", "-o", f"Dir::State::Lists={folder}/lists"]
    own += ["-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User="]
    steps = ([*own, "update"], [*own, "download", _DEBIANS_PACKAGE])
    for step in steps:
        if subprocess.run(step, cwd=folder, stdout=sys.stderr, check=False).returncode:
            return None
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(folder)], check=True)
    return _debians_wheel(folder)

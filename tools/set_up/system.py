"""What the machine is, and how its user installs something."""

from __future__ import annotations

import os
import platform
import re
import shlex
from pathlib import Path

from tools.set_up.problem import SetUpError
from tools.set_up.stacks import Stack, dotted

_RELEASE = Path("/etc/os-release")
# What Debian's and Ubuntu's own packages hold: one version of Python each.
_OWN = {
    ("debian", "12"): (3, 11),
    ("debian", "13"): (3, 13),
    ("ubuntu", "22.04"): (3, 10),
    ("ubuntu", "24.04"): (3, 12),
}


def glibc() -> tuple[int, int]:
    """Returns the version of this machine's C library.

    Raises:
        SetUpError: When TFX is not published for this kind of machine.
    """
    kind = f"{platform.system()} on {platform.machine()}"
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        library = ""
    version = re.match(r"glibc (\d+)\.(\d+)", library)
    if kind != "Linux on x86_64" or not version:
        raise SetUpError(
            f"found {kind} {'with' if version else 'without'} glibc, expected Linux on x86_64 with "
            "glibc: TFX is published for no other; use such a machine or a container of Debian 13"
        )
    return int(version.group(1)), int(version.group(2))


def release(path: Path = _RELEASE) -> dict[str, str]:
    """Returns what the system says about itself (os-release(5)); empty when it says nothing."""
    if not path.is_file():
        return {}
    pairs = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: "".join(shlex.split(value)) for name, _, value in pairs if name.isidentifier()}


def install_python(stack: Stack, about: dict[str, str]) -> str:
    """Returns how to get a Python for a stack from the system's own packages.

    Args:
        stack: What it is for.
        about: What `release` returned.
    """
    own = _OWN.get((about.get("ID", ""), about.get("VERSION_ID", "")))
    if own in stack.pythons:
        return f"apt-get install python{dotted(own)}"
    python = dotted(stack.pythons[0])
    return f"dnf install python{python}" if _has_dnf(about) else f"install Python {python}"


def install_compiler(python: tuple[int, int], about: dict[str, str]) -> str:
    """Returns how to get g++ and the header files of the system's Python.

    Args:
        python: Version of Python.
        about: Of `release`.
    """
    if _has_dnf(about):
        return f"dnf install gcc-c++ python{dotted(python)}-devel"
    return f"apt-get install g++ python{dotted(python)}-dev"


def install_pip(about: dict[str, str]) -> str:
    """Returns how to get pip; `about` is of `release`."""
    return "dnf install python3-pip" if _has_dnf(about) else "apt-get install python3-venv"


def _has_dnf(about: dict[str, str]) -> bool:
    return bool({"fedora", "rhel"} & {about.get("ID"), *about.get("ID_LIKE", "").split()})

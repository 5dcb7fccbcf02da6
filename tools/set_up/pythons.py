"""The Pythons of this machine, as uv finds them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools.set_up.problem import SetUpError
from tools.set_up.stacks import Interpreter, Stack, dotted
from tools.set_up.system import install_python

_PYENVS = ("~/.pyenv", "/opt/pyenv", "/usr/local/pyenv")


def found_pythons(uv: Path, name: str | None = None) -> list[Interpreter]:
    """Returns the CPythons for x86-64 that can be started.

    uv looks at the PATH and at the ones that it installed itself; the versions of pyenv are
    added, since its shims lead to the selected one only.

    Args:
        uv: The installer.
        name: Path, name or version of those asked for; all of them when absent.
    """
    command = [str(uv), "python", "list", "--only-installed", "--output-format", "json"]
    command += [name] if name else []
    done = subprocess.run(
        command,
        env={**os.environ, "PATH": _search_path(os.environ)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # warns of each shim that leads to no version
        check=False,
    )
    listed = json.loads(done.stdout) if done.returncode == 0 else []
    return [
        Interpreter(
            Path(each["path"]), (each["version_parts"]["major"], each["version_parts"]["minor"])
        )
        for each in listed
        if (each["implementation"], each["arch"], each["variant"])
        == ("cpython", "x86_64", "default")
    ]


def fetch_python(uv: Path, stack: Stack, about: dict[str, str]) -> Interpreter:
    """Has uv download the preferred Python of a stack, into its own folder.

    Args:
        uv: The installer.
        stack: What the Python is for.
        about: The system (`system.release`).

    Raises:
        SetUpError: When it cannot; names the system's own package.
    """
    version = dotted(stack.pythons[0])
    done = subprocess.run(
        [str(uv), "python", "install", "--no-bin", version],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        for python in found_pythons(uv, version):
            return python
    reasons = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    raise SetUpError(
        f"no Python {' or '.join(map(dotted, stack.pythons))} was found, which TFX {stack.tfx} "
        f"needs, and uv could not download one ({reasons[-1] if reasons else 'no output'}): "
        f"{install_python(stack, about)}, or name one: make setup PYTHON=/path/to/python{version}"
    )


def _search_path(environment: Mapping[str, str]) -> str:
    roots = [environment.get("PYENV_ROOT", ""), *map(os.path.expanduser, _PYENVS)]
    folders = [
        str(folder)
        for root in dict.fromkeys(filter(None, roots))
        for folder in sorted(Path(root).glob("versions/3.*/bin"))
    ]
    return os.pathsep.join([*folders, environment.get("PATH", os.defpath)])

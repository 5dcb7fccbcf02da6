"""`python3 -m tools.set_up .venv`: an environment with uv in it, on the best Python there is.

Says on standard error which Python and release of TFX were chosen and why, and prints the folder
of their locks. PYTHON in the environment names a Python (path, name or version).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.set_up import stacks, system
from tools.set_up.installer import get_uv
from tools.set_up.problem import SetUpError
from tools.set_up.pythons import fetch_python, found_pythons

_REQUIREMENTS = Path(__file__).parents[2] / "requirements"
# The locked package that comes to a Python as C++ sources.
_COMPILED = {(3, 10): "pyfarmhash"}


def main(arguments: list[str] | None = None) -> int:
    """Makes the environment; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.set_up", description=__doc__)
    parser.add_argument("folder", help="of the environment; emptied when it is there")
    folder = Path(parser.parse_args(arguments).folder)
    try:
        with tempfile.TemporaryDirectory(prefix="set-up-") as scratch:
            print(_set_up(folder, Path(scratch)))
    except SetUpError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _set_up(folder: Path, scratch: Path) -> Path:
    """Returns the folder of the locks."""
    about = system.release()
    glibc = system.glibc()
    stacks.stack_for(glibc)  # before anything is downloaded
    bootstrap = _REQUIREMENTS / "bootstrap.txt"
    uv = get_uv(scratch, bootstrap, about)
    choice = _choice(uv, glibc, about)
    print(choice, file=sys.stderr)
    locks = _REQUIREMENTS / choice.locks
    _need_compiler(choice.python, about)
    _run([str(uv), "venv", "--quiet", "--clear", "--python", str(choice.python.path), str(folder)])
    shutil.copy2(uv, folder / "bin" / "uv")
    return locks


def _choice(uv: Path, glibc: tuple[int, int], about: dict[str, str]) -> stacks.Choice:
    name = os.environ.get("PYTHON")
    if name:
        return stacks.choose_named(glibc, name, found_pythons(uv, name))
    choice = stacks.choose(glibc, found_pythons(uv))
    if choice is None:
        fetched = fetch_python(uv, stacks.stack_for(glibc), about)
        choice = stacks.choose(glibc, [fetched])
    if choice is None:
        raise SetUpError(f"{fetched.path} is not the Python that uv was asked for")
    return choice


def _need_compiler(python: stacks.Interpreter, about: dict[str, str]) -> None:
    """Checks for g++ and Python's header files where a locked package needs them.

    Raises:
        SetUpError: When one of them is missing.
    """
    package = _COMPILED.get(python.version)
    if package is None:
        return
    ask = "import os, sysconfig; print(os.path.join(sysconfig.get_path('include'), 'Python.h'))"
    header = subprocess.check_output([str(python.path), "-c", ask], text=True).strip()
    missing = [] if shutil.which("g++") else ["g++"]
    missing += [] if Path(header).exists() else [header]
    if missing:
        raise SetUpError(
            f"found no {' and no '.join(missing)}, with which {package} is compiled for Python "
            f"{stacks.dotted(python.version)}: {system.install_compiler(python.version, about)}"
        )


def _run(command: list[str]) -> None:
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise SetUpError(f"{' '.join(command)} failed; its message is above")


if __name__ == "__main__":
    sys.exit(main())

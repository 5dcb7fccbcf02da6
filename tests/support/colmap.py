"""COLMAP in a process of its own: pycolmap takes over the signals of the one that imports it."""

import importlib.util
import json
import subprocess
import sys
from typing import Any

import pytest


def ask(script: str, *arguments: object) -> Any:
    """Runs a script that has `pycolmap` and `arguments`, and returns its `answer` (JSON).

    Skips the test where pycolmap is not installed.
    """
    if not importlib.util.find_spec("pycolmap"):
        pytest.skip("no pycolmap: `make setup` installs it")
    begin = "import json, pycolmap, sys\narguments = sys.argv[1:]\n"
    end = "\nprint(json.dumps(answer))"
    done = subprocess.run(
        [sys.executable, "-c", begin + script + end, *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])

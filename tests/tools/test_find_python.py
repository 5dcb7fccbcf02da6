"""`requirements/find-python`, on made-up homes of Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[2] / "requirements" / "find-python"
_TOOLS = "/usr/bin:/bin"


def fake(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def find(home: Path, path: str = "", **variables: str) -> subprocess.CompletedProcess:
    environment = {"HOME": str(home), "PATH": f"{path}:{_TOOLS}" if path else _TOOLS, **variables}
    return subprocess.run([_SCRIPT], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def real() -> str:
    """A script body that behaves as this very Python."""
    return f'exec {os.path.realpath(sys.executable)} "$@"'


def test_a_python_310_on_the_path_is_taken(tmp_path, real):
    fake(tmp_path / "bin" / "python3.10", real)
    found = find(tmp_path, str(tmp_path / "bin"))
    assert found.returncode == 0
    version = subprocess.check_output([found.stdout.strip(), "--version"], text=True)
    assert version.startswith("Python 3.10")


def test_a_shim_that_leads_to_no_version_is_passed_over_for_pyenvs_own(tmp_path, real):
    fake(tmp_path / "shims" / "python3.10", "echo 'command not found' >&2; exit 127")
    fake(tmp_path / ".pyenv" / "versions" / "3.10.99" / "bin" / "python3.10", real)
    found = find(tmp_path, str(tmp_path / "shims"))
    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()).exists()


def test_pyenv_is_found_by_its_root(tmp_path, real):
    fake(tmp_path / "elsewhere" / "versions" / "3.10.1" / "bin" / "python3.10", real)
    found = find(tmp_path, PYENV_ROOT=str(tmp_path / "elsewhere"))
    assert found.returncode == 0, found.stderr


def test_a_named_python_of_another_version_is_refused(tmp_path):
    other = fake(tmp_path / "python3.12", "exit 1")
    found = find(tmp_path, PYTHON=str(other))
    assert found.returncode == 1
    assert found.stdout == ""
    assert f"PYTHON={other} is no Python 3.10" in found.stderr

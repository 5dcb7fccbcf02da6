"""The whole command with a made-up uv and made-up Pythons."""

import json
from pathlib import Path

import pytest

from tools.set_up import __main__ as command
from tools.set_up import system


@pytest.fixture
def machine(tmp_path, fake, monkeypatch):
    """Returns what sets up a machine: its glibc and the version of its Python."""

    def make(glibc: tuple[int, int], minor: int) -> Path:
        python = fake(f"python3.{minor}", f"echo {tmp_path}/include/Python.h")
        parts = {"major": 3, "minor": minor, "patch": 1}
        kind = {"implementation": "cpython", "arch": "x86_64", "variant": "default"}
        listed = json.dumps([{"path": str(python), "version_parts": parts, **kind}])
        uv = fake(
            "uv",
            f"""case "$1 $2" in
            "python list") echo '{listed}' ;;
            "python install") echo "cause: no network"; exit 1 ;;
            "venv --quiet")
                for folder; do :; done
                mkdir -p "$folder/bin"
                echo "$@" > "$folder/log" ;;
            esac""",
        )
        monkeypatch.setattr(command, "get_uv", lambda *_: uv)
        monkeypatch.setattr(command, "_REQUIREMENTS", tmp_path / "requirements")
        monkeypatch.setattr(system, "glibc", lambda: glibc)
        monkeypatch.setattr(
            system, "release", lambda: {"ID": "debian", "VERSION_ID": "12", "ID_LIKE": ""}
        )
        monkeypatch.delenv("PYTHON", raising=False)
        return python

    return make


def test_an_environment_with_uv_is_made_and_its_locks_named(tmp_path, machine, capfd):
    python = machine((2, 36), 11)
    assert command.main([str(tmp_path / "venv")]) == 0
    output = capfd.readouterr()
    assert output.out == f"{tmp_path}/requirements/py311\n"
    assert output.err.startswith(f"Python 3.11 ({python}) with TFX 1.16: glibc 2.36 is older")
    assert output.err.count("\n") == 1
    assert f"--python {python}" in (tmp_path / "venv" / "log").read_text()
    assert (tmp_path / "venv" / "bin" / "uv").exists()


def test_without_a_fitting_python_nothing_is_made(tmp_path, machine, capfd):
    machine((2, 36), 9)
    assert command.main([str(tmp_path / "venv")]) == 1
    output = capfd.readouterr()
    assert output.out == ""
    assert "(cause: no network): apt-get install python3.11, or name one" in output.err
    assert not (tmp_path / "venv").exists()


def test_a_named_python_of_another_version_is_refused(tmp_path, machine, capfd, monkeypatch):
    python = machine((2, 36), 12)
    monkeypatch.setenv("PYTHON", str(python))
    assert command.main([str(tmp_path / "venv")]) == 1
    assert f"error: PYTHON={python} is Python 3.12, expected" in capfd.readouterr().err


@pytest.mark.parametrize("headers", [False, True])
def test_a_compiler_is_asked_for_by_the_package_that_needs_it(
    tmp_path, machine, capfd, monkeypatch, headers
):
    machine((2, 36), 10)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # no g++
    if headers:
        (tmp_path / "include").mkdir()
        (tmp_path / "include" / "Python.h").touch()
    assert command.main([str(tmp_path / "venv")]) == 1
    error = capfd.readouterr().err.splitlines()[-1]
    files = "no g++" if headers else f"no g++ and no {tmp_path}/include/Python.h"
    assert error == (
        f"error: found {files}, with which pyfarmhash is compiled for Python 3.10: "
        "apt-get install g++ python3.10-dev"
    )


@pytest.mark.parametrize(("glibc", "minor"), [((2, 36), 11), ((2, 41), 12), ((2, 41), 13)])
def test_no_compiler_is_asked_for_where_every_package_is_built(
    tmp_path, machine, monkeypatch, glibc, minor
):
    machine(glibc, minor)
    monkeypatch.setattr(command.shutil, "which", lambda name: None)
    assert command.main([str(tmp_path / "venv")]) == 0

"""The Pythons of a machine, with a made-up uv."""

import json
from pathlib import Path

import pytest

from tools.set_up.problem import SetUpError
from tools.set_up.pythons import fetch_python, found_pythons
from tools.set_up.stacks import NEW, Interpreter

_DEBIAN = {"ID": "debian", "VERSION_ID": "13"}


def entry(path: str, minor: int, **other: str) -> dict:
    parts = {"major": 3, "minor": minor, "patch": 1}
    kind = {"implementation": "cpython", "arch": "x86_64", "variant": "default", **other}
    return {"path": path, "version_parts": parts, **kind}


def test_only_cpythons_for_this_processor_count(fake):
    listed = [
        entry("/a/python3.13", 13),
        entry("/a/python3.13t", 13, variant="freethreaded"),
        entry("/a/pypy3.11", 11, implementation="pypy"),
        entry("/a/i686/python3.12", 12, arch="x86"),
        entry("/b/python3.11", 11),
    ]
    uv = fake("uv", f"echo '{json.dumps(listed)}'")
    assert found_pythons(uv) == [
        Interpreter(Path("/a/python3.13"), (3, 13)),
        Interpreter(Path("/b/python3.11"), (3, 11)),
    ]


def test_versions_of_pyenv_that_are_not_selected_are_looked_at(tmp_path, fake, monkeypatch):
    for version in ("3.13.0", "2.7.18"):
        (tmp_path / "pyenv" / "versions" / version / "bin").mkdir(parents=True)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    path = tmp_path / "path"
    found_pythons(fake("uv", f'echo "$PATH" > {path}; echo "[]"'))
    folders = path.read_text().strip().split(":")
    assert folders[0] == f"{tmp_path}/pyenv/versions/3.13.0/bin"
    assert not any("2.7.18" in folder for folder in folders)
    assert "/usr/bin" in folders


def test_a_name_is_passed_on(tmp_path, fake):
    log = tmp_path / "log"
    found_pythons(fake("uv", f'echo "$@" > {log}; echo "[]"'), "/p/python3.12")
    assert log.read_text().split()[-1] == "/p/python3.12"


def test_uv_fetches_the_preferred_python(fake):
    listed = json.dumps([entry("/home/u/.local/share/uv/python/bin/python3.13", 13)])
    uv = fake("uv", f"[ \"$2\" = install ] || echo '{listed}'")
    assert fetch_python(uv, NEW, _DEBIAN).version == (3, 13)


def test_offline_the_systems_package_is_named(fake):
    uv = fake("uv", "echo 'error: Failed to install'; echo '  cause: dns error'; exit 1")
    with pytest.raises(SetUpError) as raised:
        fetch_python(uv, NEW, _DEBIAN)
    assert str(raised.value) == (
        "no Python 3.13 or 3.12 was found, which TFX 1.21 needs, and uv could not download one "
        "(cause: dns error): apt-get install python3.13, or name one: "
        "make setup PYTHON=/path/to/python3.13"
    )

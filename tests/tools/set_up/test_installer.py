"""uv on Pythons that lack pip, ensurepip or both."""

import importlib.util
import sys
import zipfile
from pathlib import Path

import pytest

from tools.set_up import installer
from tools.set_up.problem import SetUpError

_DEBIAN = {"ID": "debian", "VERSION_ID": "13"}
# A pip that writes down its arguments in the place of uv.
_PIP = """
import pathlib, sys
target = pathlib.Path(sys.argv[sys.argv.index("--target") + 1], "bin")
target.mkdir(parents=True)
(target / "uv").write_text(" ".join(sys.argv[1:]))
"""


@pytest.fixture
def has(monkeypatch):
    """Returns what sets which of pip and ensurepip this Python has."""
    real = importlib.util.find_spec

    def only(*modules: str) -> None:
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name: real("json") if name in modules else None,
        )

    monkeypatch.setattr(installer, "_DEBIANS_WHEELS", Path("usr/share/wheels-of-a-test"))
    return only


@pytest.fixture
def apt(tmp_path, fake):
    """An apt-get and a dpkg-deb whose package holds the pip above."""
    wheel = tmp_path / "pip-25.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pip/__main__.py", _PIP)
    log = tmp_path / "apt.log"
    fake(
        "apt-get", f'echo "$@" >> {log}; case "$*" in *download*) : > python3-pip-whl_25.deb;; esac'
    )
    fake(
        "dpkg-deb",
        f'mkdir -p "$3/usr/share/wheels-of-a-test" && cp {wheel} "$3/usr/share/wheels-of-a-test/"',
    )
    return log


def test_a_python_with_pip_uses_it(tmp_path, has, fake, monkeypatch):
    has("pip")
    python = fake("python", f"shift 2; exec {sys.executable} -c '{_PIP}' \"$@\"")
    monkeypatch.setattr(sys, "executable", str(python))
    uv = installer.get_uv(tmp_path / "scratch", tmp_path / "bootstrap.txt", _DEBIAN)
    assert f"--require-hashes --requirement {tmp_path}/bootstrap.txt" in uv.read_text()


def test_a_python_with_ensurepip_makes_an_environment_for_pip(tmp_path, has, fake, monkeypatch):
    has("ensurepip")
    inner = fake("inner", f"shift 2; exec {sys.executable} -c '{_PIP}' \"$@\"")
    python = fake(
        "python", f'[ "$1 $2" = "-m venv" ] && mkdir -p "$3/bin" && cp {inner} "$3/bin/python"'
    )
    monkeypatch.setattr(sys, "executable", str(python))
    assert installer.get_uv(tmp_path / "s", tmp_path / "bootstrap.txt", _DEBIAN).exists()


def test_debians_python_gets_pip_from_a_package_that_is_not_installed(tmp_path, has, apt):
    has()
    uv = installer.get_uv(tmp_path / "scratch", tmp_path / "bootstrap.txt", _DEBIAN)
    assert uv.read_text().startswith("install -qq")
    update, download = apt.read_text().splitlines()
    assert update.endswith("update")
    assert download.endswith("download python3-pip-whl")
    # nothing outside the folder is written, so it needs no root
    for line in (update, download):
        assert f"Dir::State::Lists={tmp_path}/scratch/debian/lists" in line
        assert f"Dir::Cache={tmp_path}/scratch/debian/cache" in line


@pytest.mark.parametrize("about", [_DEBIAN, {"ID": "rhel"}])
def test_without_any_pip_the_systems_package_is_named(tmp_path, has, fake, about):
    has()
    fake("apt-get", "exit 100")
    package = "dnf install python3-pip" if about["ID"] == "rhel" else "apt-get install python3-venv"
    with pytest.raises(SetUpError, match=f"has neither pip nor .*: {package}"):
        installer.get_uv(tmp_path / "scratch", tmp_path / "bootstrap.txt", about)


def test_an_index_out_of_reach_is_said(tmp_path, has, fake, monkeypatch):
    has("pip")
    monkeypatch.setattr(sys, "executable", str(fake("python", "exit 1")))
    with pytest.raises(SetUpError, match="PIP_INDEX_URL"):
        installer.get_uv(tmp_path / "scratch", tmp_path / "bootstrap.txt", _DEBIAN)

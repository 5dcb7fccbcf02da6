"""What a machine says about itself, and the commands of its package manager."""

import os
import platform

import pytest

from tools.set_up import system
from tools.set_up.problem import SetUpError
from tools.set_up.stacks import NEW, OLD


def test_a_release_is_read_with_and_without_quotes(tmp_path):
    file = tmp_path / "os-release"
    file.write_text('# comment\nID=rocky\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n\n')
    assert system.release(file) == {
        "ID": "rocky",
        "ID_LIKE": "rhel centos fedora",
        "VERSION_ID": "9.4",
    }
    assert system.release(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    ("about", "stack", "command"),
    [
        ({"ID": "debian", "VERSION_ID": "12"}, OLD, "apt-get install python3.11"),
        ({"ID": "debian", "VERSION_ID": "13"}, NEW, "apt-get install python3.13"),
        ({"ID": "ubuntu", "VERSION_ID": "22.04"}, OLD, "apt-get install python3.10"),
        ({"ID": "ubuntu", "VERSION_ID": "24.04"}, NEW, "apt-get install python3.12"),
        ({"ID": "rocky", "ID_LIKE": "rhel fedora"}, OLD, "dnf install python3.11"),
        ({"ID": "fedora"}, NEW, "dnf install python3.13"),
        ({"ID": "ubuntu", "VERSION_ID": "26.04"}, NEW, "install Python 3.13"),
        ({}, OLD, "install Python 3.11"),
    ],
)
def test_a_python_is_named_as_the_systems_package(about, stack, command):
    assert system.install_python(stack, about) == command


def test_the_compiler_and_pip_have_the_names_of_the_systems_packages():
    debian, rhel = {"ID": "debian"}, {"ID": "rhel"}
    assert system.install_compiler((3, 10), debian) == "apt-get install g++ python3.10-dev"
    assert system.install_compiler((3, 10), rhel) == "dnf install gcc-c++ python3.10-devel"
    assert system.install_pip(debian) == "apt-get install python3-venv"
    assert system.install_pip(rhel) == "dnf install python3-pip"


def test_the_glibc_is_read(monkeypatch):
    monkeypatch.setattr(os, "confstr", lambda name: "glibc 2.39")
    assert system.glibc() == (2, 39)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(SetUpError, match="found Linux on aarch64 with glibc"):
        system.glibc()


@pytest.mark.parametrize("library", [None, "musl"])
def test_another_c_library_is_refused(monkeypatch, library):
    monkeypatch.setattr(os, "confstr", lambda name: library)
    with pytest.raises(SetUpError, match="without glibc, expected Linux on x86_64 with glibc"):
        system.glibc()

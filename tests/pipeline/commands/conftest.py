"""Where the commands of these tests run."""

import sys
import types

import pytest


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    """Commands run in a folder of their own, so that whatever they leave is found."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def no_runner(monkeypatch):
    """Makes sure that `run` refuses before it would load TensorFlow."""
    module = types.ModuleType("pipeline.runners.local")
    monkeypatch.setitem(sys.modules, "pipeline.runners.local", module)

"""`python -m trainer.health`."""

import subprocess
import sys

import pytest
import tf_keras

from trainer import health


def test_what_this_environment_holds_is_healthy(capsys):
    assert health.tell(health.check(health.MODULES)) == 0
    assert capsys.readouterr().out == "healthy\n"


def test_what_does_not_load_is_named_with_the_reason(capsys):
    problems = health.check(["trainer.engine.loop", "trainer.no_such_module"])
    assert health.tell(problems) == 1
    error = capsys.readouterr().err
    assert error.startswith("unhealthy: trainer.no_such_module does not load (ModuleNotFoundError")
    assert error.count("\n") == 1


def test_a_tf_keras_of_another_release_is_told(monkeypatch):
    monkeypatch.setattr(tf_keras, "__version__", "2.15.0")
    (problem,) = health.check(["trainer.engine.loop"])
    assert problem.startswith("found tf_keras 2.15.0, expected one for TensorFlow 2.")


@pytest.mark.slow
def test_the_command_tells_tensorflow_to_leave_the_tpu_alone():
    code = (
        "import os, runpy, sys, trainer.health\n"
        "try:\n    runpy.run_module('trainer.health', run_name='__main__')\n"
        "except SystemExit as end:\n    print(end.code, os.environ['TPU_LOAD_LIBRARY'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["healthy", "0 0"]

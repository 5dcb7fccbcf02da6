"""A task that was given an accelerator, on machines with and without one."""

from __future__ import annotations

import runpy
import sys

import pytest
import tensorflow as tf

from components.kubeflow import accelerators, run_executor
from trainer.core.errors import UserError

_ASKED = {accelerators.REQUESTED: "nvidia.com/gpu"}


@pytest.fixture(params=[0, 1])
def gpus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    devices = [f"GPU:{number}" for number in range(request.param)]
    monkeypatch.setattr(
        tf.config,
        "list_physical_devices",
        lambda kind=None: devices if kind == "GPU" else ["CPU:0"],
    )
    return request.param


def test_a_task_runs_only_where_tensorflow_sees_what_was_asked_for(gpus):
    if gpus:
        accelerators.check(_ASKED)
        return
    with pytest.raises(
        UserError, match=r"^platform\.resources asks for nvidia\.com/gpu, .*CUDA.*TensorFlow 2\."
    ) as raised:
        accelerators.check(_ASKED)
    assert "\n" not in str(raised.value)


def test_a_task_that_asked_for_none_runs_anywhere(gpus):
    accelerators.check({})
    accelerators.check({accelerators.REQUESTED: ""})


def test_a_task_looks_before_it_begins(monkeypatch, capsys):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    monkeypatch.setattr(runpy, "run_module", lambda *_, **__: pytest.fail("began"))
    monkeypatch.setattr(sys, "argv", ["run_executor"])
    monkeypatch.setenv(accelerators.REQUESTED, "NVIDIA_L4")
    with pytest.raises(SystemExit) as exit_:
        run_executor.main()
    assert exit_.value.code == run_executor.EXIT_USER_ERROR
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("UserError: platform.resources asks for NVIDIA_L4")

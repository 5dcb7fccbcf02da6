"""The entry point of compiled tasks: how it ends, and what it says."""

from __future__ import annotations

import os
import runpy
import sys

import pytest

from components.kubeflow import folder_markers, last_words, run_executor, time_limit
from components.kubeflow.invocation import INVOCATION
from trainer.core.errors import UserError
from trainer.core.interruption import Interrupted

_OUTPUT = (
    '{"outputs": {"artifacts": {"model": {"artifacts": [{"uri": "%s", '
    '"type": {"schemaTitle": "tfx.Model"}}]}}}}'
)


@pytest.fixture(autouse=True)
def pod(monkeypatch, tmp_path):
    """Stands for a pod whose task is asked for nothing; gives the place of its last words."""
    place = tmp_path / "termination-log"
    place.touch()
    monkeypatch.setattr(last_words, "PLACE", place)
    monkeypatch.setattr(sys, "argv", ["run_executor"])
    monkeypatch.delenv(time_limit.HOURS, raising=False)
    return place


class Ended(BaseException):
    """In the place of a process's end."""


@pytest.fixture
def hard_exit(monkeypatch):
    """Lets a test see with which status the process would have ended."""
    seen = []

    def leave(status):
        seen.append(status)
        raise Ended

    monkeypatch.setattr(os, "_exit", leave)
    return seen


def _raising(error: BaseException):
    def run_module(*_arguments, **_named):
        raise error

    return run_module


@pytest.mark.parametrize(
    "error",
    [
        UserError("a.png is empty"),
        RuntimeError(
            "Traceback\ntrainer.core.errors.UserError: a.png is empty [while running 'Cut']"
        ),
    ],
)
def test_a_users_mistake_is_the_last_line_of_the_log_and_of_the_pod(
    monkeypatch, capsys, pod, error
):
    monkeypatch.setattr(runpy, "run_module", _raising(error))
    with pytest.raises(SystemExit) as exit_:
        run_executor.main()
    assert exit_.value.code == 2
    assert capsys.readouterr().err == "UserError: a.png is empty\n"
    assert pod.read_text() == "a.png is empty"


def test_a_bug_keeps_its_traceback(monkeypatch, pod):
    monkeypatch.setattr(runpy, "run_module", _raising(ZeroDivisionError("division by zero")))
    with pytest.raises(ZeroDivisionError):
        run_executor.main()
    assert pod.read_text() == "ZeroDivisionError: division by zero"


def test_the_end_of_the_interpreter_is_not_waited_for(monkeypatch, hard_exit):
    monkeypatch.setattr(runpy, "run_module", _raising(SystemExit(0)))
    with pytest.raises(Ended):
        run_executor.main()
    assert hard_exit == [0]


def test_another_exit_status_stays(monkeypatch):
    monkeypatch.setattr(runpy, "run_module", _raising(SystemExit(3)))
    with pytest.raises(SystemExit) as exit_:
        run_executor.main()
    assert exit_.value.code == 3


def test_markers_are_removed_once_everything_is_written(monkeypatch, hard_exit):
    order = []
    monkeypatch.setattr(sys, "argv", ["run_executor", INVOCATION, _OUTPUT % "gs://b/model"])
    monkeypatch.setattr(runpy, "run_module", lambda *_, **__: order.append("run"))
    monkeypatch.setattr(folder_markers, "remove", order.append)
    with pytest.raises(Ended):
        run_executor.main()
    assert order == ["run", ["gs://b/model"]] and hard_exit == [0]


@pytest.mark.parametrize("root", ["minio://mlpipeline/v2/artifacts", "s3://bucket/root"])
def test_an_object_store_that_tensorflow_cannot_read_is_told_before_anything_runs(
    monkeypatch, capsys, root
):
    monkeypatch.setattr(sys, "argv", ["run_executor", INVOCATION, _OUTPUT % f"{root}/model"])
    monkeypatch.setattr(runpy, "run_module", _raising(AssertionError("it ran")))
    with pytest.raises(SystemExit) as exit_:
        run_executor.main()
    assert exit_.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"UserError: {root}/model: tasks cannot read or write {root[:5]}")
    assert "expected a folder in Google Cloud Storage, gs://BUCKET/FOLDER" in said


def test_a_training_that_was_stopped_says_so(monkeypatch, capsys, pod):
    monkeypatch.setattr(runpy, "run_module", _raising(Interrupted("was saved", 15)))
    with pytest.raises(SystemExit) as exit_:
        run_executor.main()
    assert exit_.value.code == 143
    assert capsys.readouterr().err == "Stopped: the training was saved\n"
    assert pod.read_text() == "Stopped: the training was saved"

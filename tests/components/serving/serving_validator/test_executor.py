import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tfx.components.infra_validator import executor as stock_validator
from tfx.components.pusher import executor as stock_pusher
from tfx.types import channel_utils, standard_artifacts

from components.core import files
from components.serving.serving_validator import executor
from components.serving.serving_validator.component import ServingValidator
from tests.components.serving.serving_validator import tiny_model
from tests.support.artifacts import artifact
from trainer.data import stale_dirs


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model artifact with a SavedModel that keeps to the interface."""
    made = artifact(standard_artifacts.Model, tmp_path_factory.mktemp("model"))
    tiny_model.save(f"{made.uri}/Format-Serving")
    return made


# Runs the script with a `main` that goes on for ever.
_WAITING = """
import sys, threading, time
source = open(sys.argv[1]).read()
exec(source.replace("    main(sys.argv[1], sys.argv[2])", "    time.sleep(600)"))
"""


def run(model, tmp_path, timeout_seconds=300):
    blessing = artifact(standard_artifacts.InfraBlessing, tmp_path / "blessing")
    properties = {"timeout_seconds": timeout_seconds, "code_fingerprint": "abc"}
    executor.Executor().Do({"model": [model]}, {"blessing": [blessing]}, properties)
    validation = json.loads((tmp_path / "blessing/validation.json").read_text())
    return blessing, validation


def replace_script(monkeypatch, tmp_path, text):
    script = tmp_path / "script.py"
    script.write_text(text)
    monkeypatch.setattr(executor, "_SCRIPT", script)


@pytest.mark.slow
def test_a_servable_model_is_blessed_in_a_clean_process(model, tmp_path):
    blessing, validation = run(model, tmp_path)
    assert validation["reasons"] == []
    assert validation["blessed"] is True
    assert (tmp_path / "blessing" / stock_validator._BLESSED_FILENAME).exists()
    assert not (tmp_path / "blessing" / stock_validator._NOT_BLESSED_FILENAME).exists()
    assert stock_pusher.Executor().CheckBlessing({"infra_blessing": [blessing]})
    assert validation["latency"]["batch_milliseconds_per_patch"] > 0
    assert validation["identity"] == tiny_model.IDENTITY


def test_the_process_sees_no_project_and_lies_in_a_folder_of_its_own(model, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    replace_script(
        monkeypatch,
        tmp_path,
        "import json, os, sys\n"
        "blocked = json.load(open(sys.argv[1]))['blocked']\n"
        "place = {'cwd': os.getcwd(), 'path': sys.path, 'blocked': blocked}\n"
        "result = {'checks': [], 'warnings': [], 'latency': {}, 'identity': place}\n"
        "json.dump(result, open(sys.argv[2], 'w'))\n",
    )
    _, validation = run(model, tmp_path)
    seen = validation["identity"]
    assert str(tmp_path) not in seen["path"]
    assert "" not in seen["path"]
    assert seen["cwd"] not in seen["path"]
    assert seen["blocked"] == ["pipeline", "components", "trainer"]


def test_the_process_is_told_nobodys_keys(model, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "key.json")
    monkeypatch.setenv("SOME_TOKEN", "secret")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    replace_script(
        monkeypatch,
        tmp_path,
        "import json, os, sys\n"
        "result = {'checks': [], 'warnings': [], 'latency': {}, 'identity': dict(os.environ)}\n"
        "json.dump(result, open(sys.argv[2], 'w'))\n",
    )
    seen = run(model, tmp_path)[1]["identity"]
    assert seen["TF_ENABLE_ONEDNN_OPTS"] == "0" and seen["PATH"]
    assert not {"SOME_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS"} & seen.keys()
    assert seen["HOME"] != os.environ.get("HOME")


def test_the_process_ends_when_the_one_that_started_it_is_killed(tmp_path):
    read, write = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-c", _WAITING, executor._SCRIPT], stdin=read, cwd=tmp_path
    )
    os.close(read)
    os.close(write)  # as the kernel does for a process that is killed
    assert child.wait(timeout=60) == 1


def test_what_killed_processes_left_is_deleted(model, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen(["true"]) as dead:
        pass
    machine = stale_dirs.process().rpartition("-")[0]
    left = tmp_path / f"serving-validator-{machine}-{dead.pid}.abc"
    left.mkdir()
    replace_script(monkeypatch, tmp_path, "pass")
    run(model, tmp_path)
    assert not list(tmp_path.glob("serving-validator-*"))


@pytest.mark.parametrize(
    ("script", "timeout", "reason"),
    [
        ("import sys; sys.exit('no TensorFlow here')", 60, "with code 1: no TensorFlow here"),
        ("import os; os.abort()", 60, "ended with code -6"),
        ("pass", 60, "ended with code 0"),
        ("import time; time.sleep(60)", 1, "took more than 1 seconds"),
    ],
)
def test_a_process_without_a_result_is_a_refusal(
    model, tmp_path, monkeypatch, script, timeout, reason
):
    replace_script(monkeypatch, tmp_path, script)
    blessing, validation = run(model, tmp_path, timeout)
    assert reason in validation["reasons"][-1]
    assert validation["blessed"] is False
    assert (tmp_path / "blessing" / stock_validator._NOT_BLESSED_FILENAME).exists()
    assert not stock_pusher.Executor().CheckBlessing({"infra_blessing": [blessing]})


@pytest.mark.slow
def test_a_model_without_identity_is_refused_with_the_reason(model, tmp_path):
    broken = artifact(standard_artifacts.Model, tmp_path / "model")
    shutil.copytree(model.uri, broken.uri)
    shutil.rmtree(tmp_path / "model/Format-Serving/assets.extra")
    blessing, validation = run(broken, tmp_path)
    (reason,) = validation["reasons"]
    assert reason.startswith("identity: NotFoundError")
    assert "descriptor.json" in reason
    assert blessing.get_int_custom_property("blessed") == 0


def test_the_component_takes_examples_or_does_without():
    def channel(artifact_type):
        return channel_utils.as_channel([artifact_type()])

    without = ServingValidator(model=channel(standard_artifacts.Model), code_fingerprint="abc")
    assert set(without.inputs) == {"model"}
    model, examples = channel(standard_artifacts.Model), channel(standard_artifacts.Examples)
    validator = ServingValidator(
        model=model, examples=examples, timeout_seconds=7, code_fingerprint="abc"
    )
    assert set(validator.inputs) == {"model", "examples"}
    assert validator.exec_properties == {"timeout_seconds": 7, "code_fingerprint": "abc"}


def test_a_model_in_a_bucket_is_copied_for_the_process_that_has_no_keys(tmp_path):
    remote = f"ram://{tmp_path.name}/model"
    for name in ("saved_model.pb", "variables/variables.index"):
        files.write_text(f"{remote}/{name}", name)
    local = executor._local(f"{remote}/", str(tmp_path))
    assert Path(local).parent == tmp_path
    for name in ("saved_model.pb", "variables/variables.index"):
        assert Path(local, name).read_text() == name

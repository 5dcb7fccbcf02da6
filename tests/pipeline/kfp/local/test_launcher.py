"""What Kubeflow's launcher does around a task, on Cloud Storage, with the faults it has."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.kfp.local import launcher, processes
from tests.support.cloud import cloud_storage
from trainer.core.errors import UserError


@pytest.fixture
def storage(tmp_path):
    with cloud_storage.running(tmp_path) as service:
        yield service


def _planned(inputs: dict[str, str], outputs: dict[str, str]) -> dict:
    def listed(uris):
        return {key: {"artifacts": [{"uri": uri}]} for key, uri in uris.items()}

    return {
        "inputs": {"artifacts": listed(inputs)},
        "outputs": {"artifacts": listed(outputs)},
    }


def test_inputs_are_downloaded_and_outputs_uploaded(storage, tmp_path):
    storage.objects.put("gs://b/run/model/a", b"1")
    storage.objects.put("gs://b/run/model/deep/b", b"2")
    storage.objects.put("gs://b/run/model_run/c", b"not asked for")
    storage.objects.put("gs://b/run/one.txt", b"3")
    pod = launcher.Pod(tmp_path / "pod")
    planned = _planned(
        {"model": "gs://b/run/model", "text": "gs://b/run/one.txt"}, {"made": "gs://b/run/made"}
    )
    planned["outputs"] = launcher.with_logs(planned["outputs"], "gs://b/run")
    pod.start("task", planned)
    disk = tmp_path / "pod" / "gcs" / "b" / "run"
    there = {str(p.relative_to(disk)): p.read_bytes() for p in disk.rglob("*") if p.is_file()}
    assert there == {"model/a": b"1", "model/deep/b": b"2", "one.txt": b"3"}
    made = pod.local_path("gs://b/run/made")
    (made / "deep").mkdir(parents=True)
    (made / "deep" / "d").write_bytes(b"4")
    log = tmp_path / "log.txt"
    log.write_text("said")
    pod.finish(planned, log)
    assert storage.objects.get("gs://b/run/made/deep/d") == b"4"
    assert storage.objects.get("gs://b/run/executor-logs") == b"said"
    assert storage.objects.markers("gs://b/") == []


@pytest.mark.parametrize("marker", ["gs://b/run/model/", "gs://b/run/model/deep/"])
def test_an_object_that_stands_for_a_folder_cannot_be_downloaded(storage, tmp_path, marker):
    storage.objects.put(marker, b"")
    storage.objects.put("gs://b/run/model/deep/b", b"2")
    pod = launcher.Pod(tmp_path / "pod")
    with pytest.raises(
        UserError, match=r"^task: the launcher cannot download the input model from"
    ):
        pod.start("task", _planned({"model": "gs://b/run/model"}, {}))


def test_a_pod_is_told_to_end_and_ends_whatever_it_is_doing(tmp_path):
    """The launcher dies of SIGTERM at once and its container with it."""
    task = (
        "import os, pathlib, signal, subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(5), pathlib.Path('late').touch()));"
        "pathlib.Path('pid').write_text(f'{os.getpid()} {child.pid}');"
        "time.sleep(60)"
    )
    waiting = (
        "import sys, pathlib; from pipeline.kfp.local import processes;"
        "processes.run([sys.executable, '-c', sys.argv[1]], {}, pathlib.Path(sys.argv[2]),"
        " processes.SECONDS_IN_A_POD)"
    )
    process = subprocess.Popen([sys.executable, "-c", waiting, task, str(tmp_path)])
    told = tmp_path / "cwd" / "pid"
    deadline = time.monotonic() + 60
    while not (told.exists() and told.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    time.sleep(0.2)
    assert not (tmp_path / "cwd" / "late").exists()
    for number in told.read_text().split():
        assert not _lives(int(number))


def test_with_a_task_ends_what_it_has_started(tmp_path):
    task = (
        "import pathlib, subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "pathlib.Path('pid').write_text(str(child.pid))"
    )
    assert processes.run([sys.executable, "-c", task], dict(os.environ), tmp_path) == 0
    time.sleep(0.2)
    assert not _lives(int((tmp_path / "cwd" / "pid").read_text()))


def _lives(number: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False

"""`python -m trainer` with everything in a bucket, killed and started again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cloud import cloud_storage
from tests.support.synthetic import write_examples

pytestmark = pytest.mark.slow
_SECONDS = 400.0
_SPLITS = {"train": {"i_a": ("a", 10), "v_b": ("b", 10)}, "val": {"v_c": ("c", 8)}}
_STAGE = {"points_per_batch": 8, "patches_per_point": 2, "min_steps": 60, "max_steps": 60}
_CONFIG = {"stages": [_STAGE], "checkpoint_every": 5, "strategy": "one_device"}
_PLACES = {
    "--config": "gs://b/config.json",
    "--data": "gs://b/examples",
    "--output": "gs://b/output",
    "--checkpoint-dir": "gs://b/checkpoints",
}


def test_a_training_that_was_killed_goes_on_from_its_checkpoint_in_the_bucket(tmp_path):
    write_examples(tmp_path / "examples", _SPLITS)
    with cloud_storage.running(tmp_path) as storage:
        _upload(storage, tmp_path / "examples", "gs://b/examples")
        storage.objects.put("gs://b/config.json", json.dumps(_CONFIG).encode())
        process = _start(tmp_path)
        deadline = time.monotonic() + _SECONDS
        while not _checkpoints(storage):
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
        process.wait()
        assert _start(tmp_path).wait(_SECONDS) == 0, (tmp_path / "log").read_text()
        events = json.loads(storage.objects.get("gs://b/output/timeline.json"))
        (resumed,) = (event for event in events if event["event"] == "resume")
        assert resumed["step"] >= 5
        assert storage.objects.get("gs://b/output/Format-Serving/saved_model.pb")
        assert _checkpoints(storage) == []


def _checkpoints(storage: cloud_storage.CloudStorage) -> list[str]:
    names = storage.objects.names("gs://b/checkpoints/")
    return [name for name in names if name.endswith("/complete.json")]


def _start(folder: Path) -> subprocess.Popen:
    words = [word for pair in _PLACES.items() for word in pair]
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "trainer", "--resume", *words], stdout=log, stderr=log
        )


def _upload(storage: cloud_storage.CloudStorage, folder: Path, uri: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            storage.objects.put(f"{uri}/{path.relative_to(folder)}", path.read_bytes())

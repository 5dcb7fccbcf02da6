"""A pipeline that is told to end while it trains, and the same pipeline again."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from pipeline.runners import local
from pipeline.runs import records
from pipeline.runs.recorder import RunRecorder
from tests.e2e.conftest import LENIENT, small_config
from trainer.core import progress
from trainer.core.interruption import Interrupted

pytestmark = pytest.mark.slow


def _end_in_training(event: progress.Progress) -> None:
    if event.label.startswith("training stage 2"):
        os.kill(os.getpid(), signal.SIGTERM)


def test_the_next_run_goes_on_with_the_training(tmp_path: Path, photographs: Path):
    config = small_config(tmp_path, photographs, *LENIENT)
    recorder = RunRecorder(config, "demo")
    with pytest.raises(Interrupted) as stop, progress.listen(_end_in_training):
        local.run(config, on_event=recorder.on_event)
    recorder.write_failure(stop.value)
    (record,) = records.list_runs(config.work_dir)
    assert record.error == "interrupted"
    assert [c.name for c in record.components if c.state == "interrupted"] == ["DescriptorTrainer"]
    component = tmp_path / "artifacts" / "DescriptorTrainer"
    assert list((component / "checkpoints").glob("*/step-*"))

    result = local.run(config)
    timeline = Path(result.uri("DescriptorTrainer", "model_run")) / "timeline.json"
    (resumed,) = (e for e in json.loads(timeline.read_text()) if e["event"] == "resume")
    assert resumed["stage"] == 1
    assert result.states["Transform"] == "cached"
    assert not (component / "checkpoints").exists()

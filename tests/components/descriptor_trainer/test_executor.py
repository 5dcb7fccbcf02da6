"""DescriptorTrainer's executor: an execution that was killed is gone on with by the next."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.evaluation_report.sections.training_logs import read_curves
from tests.support.synthetic import TWO_SCENES, Transform, write_examples
from trainer.model import export

pytestmark = pytest.mark.slow


def _execute(root: Path, executions: list[tuple[str, int]]) -> list[int]:
    """Runs executions (id, block of steps to be killed before) and returns how they ended."""
    command = [sys.executable, "-m", "tests.components.descriptor_trainer.executions"]
    command += [str(root), json.dumps(executions)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _events(folder: Path) -> list[dict]:
    return json.loads((folder / "timeline.json").read_text())


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    """Two killed executions, the one that ends, and one with nothing to go on from."""
    root = tmp_path_factory.mktemp("pipeline")
    write_examples(root / "examples", TWO_SCENES)
    tf.saved_model.save(Transform(), str(root / "graph" / "transform_fn"))
    killed = -signal.SIGKILL
    executions = [("1", 4), ("2", 4), ("3", 0), ("4", 0)]
    assert _execute(root, executions) == [killed, killed, 0, 0]
    return root / "artifacts" / "DescriptorTrainer"


def test_the_next_execution_goes_on_where_the_killed_one_was(outputs):
    events = _events(outputs / "model_run" / "3")
    assert [event["step"] for event in events if event["event"] == "resume"] == [4, 8]
    assert "resume" not in [event["event"] for event in _events(outputs / "model_run" / "4")]


def test_its_curves_begin_with_the_first_step(outputs):
    resumed, undisturbed = (
        read_curves(str(outputs / "model_run" / number), ("train/loss",))["train/loss"]
        for number in ("3", "4")
    )
    np.testing.assert_array_equal(resumed, undisturbed)


def test_it_ends_with_the_weights_of_an_undisturbed_execution(outputs):
    identities = [
        export.read_identity(str(outputs / "model" / number / "Format-Serving"))
        for number in ("3", "4")
    ]
    assert identities[0] == identities[1]  # of the weights, among other things


def test_after_the_end_nothing_is_left_of_it(outputs):
    assert not (outputs / "checkpoints").exists()

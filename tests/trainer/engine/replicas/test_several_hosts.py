"""Several processes train what one process trains, and survive the loss of one."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml

from tests.support import synthetic
from tests.trainer.engine.replicas.processes import started

pytestmark = pytest.mark.slow
STEPS = 50

# As many replicas on logical devices, which other tests compare with a single one.
_ONE_PROCESS = """
import sys
import trainer
import tensorflow as tf
devices = [tf.config.LogicalDeviceConfiguration() for _ in range(int(sys.argv[1]))]
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
from trainer.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A folder with examples and settings of a small network."""
    root = tmp_path_factory.mktemp("hosts")
    synthetic.write_examples(root / "examples", synthetic.TWO_SCENES)
    settings = {
        "strategy": "mirrored",
        "model": {"width": 0.1, "dimension": 64},
        "stages": [
            {"points_per_batch": 8, "patches_per_point": 2, "max_steps": STEPS},
        ],
        "validation": {"every_steps": 25, "max_points": 20},
        "controller": {"promote_probe_below": 1e-6},
        "steps_per_loop": 5,
        "checkpoint_every": 10,
        "threads": 1,
    }
    (root / "settings.yaml").write_text(yaml.safe_dump(settings))
    return root


def arguments(root: Path, output: Path, checkpoints: Path) -> list[str]:
    return [
        *("--config", str(root / "settings.yaml"), "--data", str(root / "examples")),
        *("--output", str(output), "--checkpoint-dir", str(checkpoints)),
    ]


def one_process(root: Path, replicas: int) -> Path:
    output = root / f"one-{replicas}"
    if not output.exists():
        command = arguments(root, output, root / f"one-{replicas}-checkpoints")
        subprocess.run([sys.executable, "-c", _ONE_PROCESS, str(replicas), *command], check=True)
    return output


def commands(root: Path, folder: Path, count: int) -> list[list[str]]:
    """Each has an output folder of its own, to see who writes."""
    return [
        ["-m", "trainer", *arguments(root, folder / f"out-{number}", folder / "checkpoints")]
        for number in range(count)
    ]


def log_of(folder: Path, number: int) -> str:
    return (folder / "logs" / f"{number}.log").read_text()


def run(root: Path, folder: Path, count: int) -> None:
    with started(commands(root, folder, count), folder / "logs") as processes:
        for number, process in enumerate(processes):
            assert process.wait(900) == 0, log_of(folder, number)[-3000:]


def weights(output: Path) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(output / "Format-Serving" / "variables" / "variables"))
    found = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    return {name: value for name, value in found.items() if name.startswith("network/")}


def losses(output: Path) -> list[float]:
    """The loss of every observation, off TensorBoard's files."""
    found = {}
    for path in sorted((output / "logs").glob("*tfevents*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.tag == "train/loss":
                    found[event.step] = value.simple_value
    return [found[step] for step in sorted(found)]


def assert_the_same(output: Path, expected: Path) -> None:
    left, right = weights(output), weights(expected)
    assert left.keys() == right.keys() and len(left) > 10
    for name, value in right.items():
        np.testing.assert_allclose(left[name], value, atol=1e-4, err_msg=name)
    assert len(losses(expected)) == STEPS // 5
    np.testing.assert_allclose(losses(output), losses(expected), atol=1e-4)


@pytest.mark.parametrize("count", [2, 4])
def test_processes_train_what_as_many_replicas_of_one_process_train(root, tmp_path, count):
    run(root, tmp_path, count)
    assert_the_same(tmp_path / "out-0", one_process(root, count))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "out-0"]  # the chief's


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_others_and_all_go_on_from_the_checkpoint(root, tmp_path, victim):
    with started(commands(root, tmp_path, 2), tmp_path / "logs") as processes:
        deadline = time.monotonic() + 900
        while not list((tmp_path / "checkpoints").glob("*/step-*/complete.json")):
            assert time.monotonic() < deadline and processes[victim].poll() is None
            time.sleep(0.05)
        processes[victim].send_signal(signal.SIGKILL)
        assert processes[1 - victim].wait(300) == 128 + signal.SIGHUP
    said = log_of(tmp_path, 1 - victim).splitlines()[-1]
    assert said == (
        f"SIGHUP: another of the run's 2 processes is gone (worker {victim} of TF_CONFIG); start "
        f"all of them again, and they go on from the last checkpoint"
    )
    assert not (tmp_path / "out-0" / "Format-Serving").exists()
    shutil.rmtree(tmp_path / "logs")
    run(root, tmp_path, 2)
    events = json.loads((tmp_path / "out-0" / "timeline.json").read_text())
    (resumed,) = [event for event in events if event["event"] == "resume"]
    assert 10 <= resumed["step"] < STEPS and resumed["step"] % 10 == 0
    assert_the_same(tmp_path / "out-0", one_process(root, 2))
    assert not (tmp_path / "out-1").exists() and not (tmp_path / "checkpoints").exists()


def test_a_process_that_is_told_to_stop_stops_all_of_them_with_a_checkpoint(root, tmp_path):
    with started(commands(root, tmp_path, 2), tmp_path / "logs") as processes:
        deadline = time.monotonic() + 900
        while "5/50" not in log_of(tmp_path, 1):
            assert time.monotonic() < deadline and processes[1].poll() is None
            time.sleep(0.05)
        processes[1].send_signal(signal.SIGTERM)
        for number, process in enumerate(processes):
            assert process.wait(300) == 143, log_of(tmp_path, number)[-3000:]
    assert "SIGTERM: stopped at step" in log_of(tmp_path, 0)
    assert list((tmp_path / "checkpoints").glob("*/step-*/complete.json"))

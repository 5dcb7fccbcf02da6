"""`python -m trainer`."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import yaml

from tests.support.synthetic import write_examples
from tests.support.training import training_result
from trainer.__main__ import _config, _LiveLine, main
from trainer.core.config import TrainerConfig
from trainer.core.progress import Progress
from trainer.engine import loop

_CONFIG = {
    "model": {"width": 0.1, "dimension": 64},
    "stages": [{"points_per_batch": 4, "patches_per_point": 2, "max_steps": 4}],
    "steps_per_loop": 2,
}


def test_it_trains_and_prints_its_progress(tmp_path, capsys):
    write_examples(tmp_path / "data", {"train": {"v_a": ("a", 5)}, "val": {"v_b": ("b", 4)}})
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(_CONFIG))
    output = tmp_path / "out"
    arguments = ["--config", config, "--data", tmp_path / "data", "--output", output]
    assert main([str(argument) for argument in arguments]) == 0
    printed = capsys.readouterr().out
    assert "training stage 1 of 1 (S 4, K 2): 4/4 loss" in printed
    assert "val mAP" in printed
    assert (output / "Format-Serving" / "saved_model.pb").is_file()
    assert (output / "logs").is_dir()


@pytest.mark.parametrize(
    ("shortfall", "judged_later", "status"), [("", False, 0), ("poor", False, 3), ("poor", True, 0)]
)
def test_a_model_of_no_use_has_an_exit_status_unless_a_gate_judges_it(
    shortfall, judged_later, status, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(loop, "train", lambda *_, **__: training_result(shortfall=shortfall))
    arguments = ["--data", "d", "--output", "out"]
    if judged_later:
        arguments += ["--failure-file", str(tmp_path / "failure.json")]
    assert main(arguments) == status
    printed = capsys.readouterr().out
    assert ("the model is of no use: poor" in printed) is bool(shortfall)
    assert "not trained: S 64 K 8" in printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: []", "stages"),
        ("rate: 3", "rate"),
        ("- 1", "holds a list"),
        ("a: [", "cannot be read as YAML"),
        (b"\xff\xfe", "cannot be read as YAML"),
        ("stages: {2020-01-01: 3}", "found {datetime.date(2020, 1, 1): 3}, expected a list"),
        ("stages: &a [*a]", "(line 1: the alias a stands within what it repeats)"),
        (
            "stages: [{look_alikes: 1}]",
            "look_alikes: the key is called same_sequence_fraction now",
        ),
        ("seed: 2020-13-45", "cannot be read as YAML"),
    ],
)
def test_a_wrong_configuration_ends_in_one_sentence(tmp_path, capsys, text, message):
    config = tmp_path / "config.yaml"
    config.write_bytes(text if isinstance(text, bytes) else text.encode())
    arguments = ["--config", str(config), "--data", "nowhere", "--output", str(tmp_path / "out")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "there is no manifest"),
        (["--tpu", ""], 'error: tpu: found "", expected a text'),
        (["--config", "{folder}/no.yaml"], "no.yaml: cannot be read"),
        (  # without the whole configuration
            ["--config", "{folder}/config.yaml"],
            "config.yaml: stage 2 has a smaller batch (32 patches) than stage 1 (64); set "
            "allow_shrinking_stages if that is meant\n",
        ),
    ],
)
def test_what_cannot_be_read_or_does_not_fit_together_is_one_sentence(
    tmp_path, capsys, options, sentence
):
    stages = "stages: [{points_per_batch: 16}, {points_per_batch: 8}]"
    (tmp_path / "config.yaml").write_text(stages)
    options = [word.format(folder=tmp_path) for word in options]
    assert main([*options, "--data", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.splitlines(keepends=True)[-1]
    assert error.startswith("error: ")
    assert sentence in error


def test_only_googles_warnings_of_the_future_are_kept_from_the_terminal(tmp_path, capsys):
    said = {"google.api_core": FutureWarning, "googly": FutureWarning, "google.b": UserWarning}
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        main(["--data", str(tmp_path), "--output", str(tmp_path / "out")])
        del shown[:]
        for module, category in said.items():
            warnings.warn_explicit(module, category, "file", 1, module)
    assert [str(warning.message) for warning in shown] == ["googly", "google.b"]


def test_a_configuration_needs_only_the_keys_that_differ(tmp_path):
    path = tmp_path / "config"
    path.write_text(json.dumps({"seed": 7}))  # JSON is YAML too
    assert _config(str(path), None) == TrainerConfig(seed=7)
    path.write_text("# nothing set\n")
    assert _config(str(path), "local") == TrainerConfig(strategy="tpu", tpu="local")


def test_an_output_that_cannot_be_written_ends_in_one_sentence(tmp_path, capsys):
    write_examples(tmp_path / "data", {"train": {"v_a": ("a", 5)}})
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(_CONFIG))
    (tmp_path / "file").write_text("in the way")
    arguments = ["--config", config, "--data", tmp_path / "data", "--output", tmp_path / "file"]
    assert main([str(argument) for argument in arguments]) == 2
    assert "file: cannot be written" in capsys.readouterr().err


@pytest.fixture
def arguments(tmp_path) -> list[str]:
    """Of a command that can run; the configuration is in `config.yaml`."""
    write_examples(tmp_path / "data", {"train": {"v_a": ("a", 5)}, "val": {"v_b": ("b", 4)}})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(_CONFIG))
    places = {"--config": "config.yaml", "--data": "data", "--output": "out"}
    return [text for name, place in places.items() for text in (name, str(tmp_path / place))]


@pytest.mark.slow
def test_an_output_folder_that_is_taken_is_refused(arguments, tmp_path, capsys):
    def said(*more: str) -> tuple[int, str]:
        status = main([*arguments, *more])
        printed = capsys.readouterr()
        return status, printed.err or printed.out

    assert main(arguments) == 0
    before = (tmp_path / "out" / "training_result.json").stat().st_mtime_ns
    capsys.readouterr()  # what the training itself says
    status, error = said()
    assert status == 2
    assert "out: holds the finished result of this very run" in error
    assert error.count("\n") == 1
    status, text = said("--resume")
    assert status == 0
    assert "model in" in text
    assert (tmp_path / "out" / "training_result.json").stat().st_mtime_ns == before
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**_CONFIG, "seed": 5}))
    for option in ((), ("--resume",)):
        status, error = said(*option)
        assert status == 2
        assert "of another run (what differs: the configuration (seed))" in error
        assert "--overwrite" in error
    assert main([*arguments, "--overwrite"]) == 0


def test_resuming_and_overwriting_exclude_each_other(arguments, capsys):
    with pytest.raises(SystemExit):
        main([*arguments, "--resume", "--overwrite"])
    assert "not allowed with" in capsys.readouterr().err


_WITHOUT_TFX = """
import sys
for name in ("tfx", "apache_beam", "tensorflow_transform", "tensorflow_model_analysis",
             "tensorflow_data_validation", "ml_metadata", "cv2", "skimage", "components",
             "pipeline"):
    sys.modules[name] = None  # importing it fails
from trainer.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_sigterm_saves_the_run_and_exits_with_143_without_tfx_or_beam(arguments, tmp_path):
    stages = [{**_CONFIG["stages"][0], "max_steps": 10**6, "min_steps": 10**6}]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**_CONFIG, "stages": stages}))
    for attempt in (1, 2):
        command = [sys.executable, "-c", _WITHOUT_TFX, *arguments]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        try:
            _wait_for_progress(process)
            os.kill(process.pid, signal.SIGTERM)
            _, error = process.communicate(timeout=300)
        finally:
            process.kill()
        assert process.returncode == 143
        said = error.splitlines()[-1]
        assert said.startswith("SIGTERM: stopped at step ")
        assert said.endswith("; the same command goes on from there")
        events = json.loads((tmp_path / "out" / "timeline.json").read_text())
        assert [event["event"] for event in events].count("resume") == attempt - 1
        saved = sorted((tmp_path / "out" / "checkpoints").glob("*/step-*"))
        assert int(saved[-1].name[-8:]) == int(said.split()[4].rstrip(";"))


def _wait_for_progress(process: subprocess.Popen) -> None:
    """Returns when the process has said that it takes steps."""
    for line in process.stdout:
        if line.startswith("training stage"):
            time.sleep(0.5)
            return
    pytest.fail(f"it ended by itself: {process.stderr.read()}")


_EVENTS = (
    Progress("packing", 1, 3),
    Progress("packing", 2, 3),
    Progress("packing", 3, 3),
    Progress("training", 10, 30, "loss 1.0"),
    Progress("training", 20, 30, "loss 0.9"),
)


def test_elsewhere_than_on_a_terminal_progress_is_a_line_now_and_then(capsys):
    with _LiveLine() as line:
        for event in _EVENTS:
            line(event)
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["packing: 1/3", "packing: 3/3", "training: 10/30 loss 1.0"]


def test_on_a_terminal_each_kind_of_work_has_one_line_that_changes(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with _LiveLine() as line:
        for event in _EVENTS:
            line(event)
    rows = capsys.readouterr().out.replace("\x1b[K", "").split("\n")
    assert [row.split("\r")[-1] for row in rows] == [
        "packing: 3/3",
        "training: 20/30 loss 0.9",
        "",
    ]


@pytest.mark.parametrize("on_terminal", [True, False])
def test_a_finished_stage_leaves_one_line(capsys, monkeypatch, on_terminal):
    monkeypatch.setattr("sys.stdout.isatty", lambda: on_terminal)
    with _LiveLine() as line:
        for stage in ("stage 1", "stage 2"):
            line(Progress(stage, 4, 9, "loss 1.0", 80, 723))
            line(Progress(stage, 9, 9, "loss 0.8, took 0:12", finished=True))
    rows = capsys.readouterr().out.replace("\x1b[K", "").split("\n")
    shown = [row.split("\r")[-1] for row in rows]
    left = [f"stage {number}: 9/9 loss 0.8, took 0:12" for number in (1, 2)]
    if on_terminal:
        assert shown == [*left, ""]
        assert rows[0].split("\r")[1] == "stage 1: 4/9 1:20 left (12:03 in all) loss 1.0"
    else:
        assert shown[1::2] == left

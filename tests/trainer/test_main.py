"""`python -m trainer`."""

import json

import pytest

from tests.trainer.synthetic import write_examples
from trainer.__main__ import main

_CONFIG = {
    "model": {"width": 0.1, "dimension": 64},
    "stages": [{"sequences_per_batch": 4, "variants_per_sequence": 2, "max_steps": 4}],
    "probe": {"sequences": 4, "variants": 2},
    "steps_per_loop": 2,
}


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_it_trains_and_prints_its_progress(tmp_path, capsys, suffix):
    write_examples(tmp_path / "data", {"train": {"v_a": ("a", 5)}, "val": {"v_b": ("b", 4)}})
    config = tmp_path / f"config.{suffix}"
    config.write_text(json.dumps(_CONFIG))  # JSON is YAML too
    output = tmp_path / "out"
    arguments = ["--config", config, "--data", tmp_path / "data", "--output", output]
    assert main([str(argument) for argument in arguments]) == 0
    printed = capsys.readouterr().out
    assert "training stage 1 of 1 (S 4, K 2): 4/4 loss" in printed
    assert "val mAP" in printed
    assert (output / "Format-Serving" / "saved_model.pb").is_file()
    assert (output / "logs").is_dir()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: []", "stages"),
        ("loss: {margin: -1}", "loss.margin"),
        ("rate: 3", "rate"),
        ("- 1", "holds a list"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_a_wrong_configuration_ends_in_one_sentence(tmp_path, capsys, text, message):
    config = tmp_path / "config.yaml"
    config.write_text(text)
    arguments = ["--config", str(config), "--data", "nowhere", "--output", str(tmp_path / "out")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "out").exists()


def test_missing_data_ends_in_one_sentence(tmp_path, capsys):
    assert main(["--data", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    assert "there is no manifest" in capsys.readouterr().err


def test_a_missing_configuration_file_ends_in_one_sentence(tmp_path, capsys):
    arguments = ["--config", str(tmp_path / "no.yaml"), "--data", "x", "--output", "y"]
    assert main(arguments) == 2
    assert "no.yaml: cannot be read" in capsys.readouterr().err

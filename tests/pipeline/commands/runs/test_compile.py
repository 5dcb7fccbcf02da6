"""`hpatches compile`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from kfp import components as kfp_components

from pipeline.cli import cli
from pipeline.kfp import files

IMAGE = "registry.example.com/hpatches-pipeline:1.0"


def hpatches(*arguments: str):
    return CliRunner().invoke(cli, ["compile", *arguments])


@pytest.mark.parametrize(
    ("target", "name"), [("kubeflow", "a.yaml"), ("vertex", "a.json"), ("vertex", "a.yaml")]
)
def test_a_file_is_written_that_kfp_loads_and_its_parameters_are_told(tmp_path, target, name):
    path = tmp_path / name
    result = hpatches("--target", target, "--image", IMAGE, "--output", str(path))
    assert result.exit_code == 0, result.output
    assert f"Wrote {path}: " in result.stdout and f"tasks for {target}" in result.stdout
    assert "  data_fingerprint (may be left out): " in result.stdout
    assert "  push_destination: Folder that receives blessed models" in result.stdout
    assert files.read(str(path))["pipelineInfo"]["name"] == "hpatches-demo"
    if path.suffix == ".yaml":
        assert kfp_components.load_component_from_file(str(path)).name == "hpatches-demo"


def test_the_configuration_names_image_and_resources(tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text(
        "base: demo\n"
        "name: mine\n"
        f"platform: {{image: '{IMAGE}', resources: {{DescriptorTrainer: {{cpu: 8}}}}}}\n"
    )
    path = tmp_path / "mine.json"
    done = hpatches("--target", "vertex", "--config", str(config), "--output", str(path))
    assert done.exit_code == 0, done.output
    spec = files.read(str(path))
    assert spec["pipelineInfo"]["name"] == "mine"
    executors = spec["deploymentSpec"]["executors"]
    assert executors["DescriptorTrainer_executor"]["container"]["resources"]["cpuLimit"] == 8
    assert {executor["container"]["image"] for executor in executors.values()} == {IMAGE}


@pytest.mark.slow
def test_the_same_configuration_gives_the_same_bytes_elsewhere(tmp_path):
    """Another process, folder, home, user and order of hashing."""
    here, there = tmp_path / "here.yaml", tmp_path / "elsewhere" / "there.yaml"
    there.parent.mkdir()
    options = ["--target", "kubeflow", "--image", IMAGE, "--output"]
    assert hpatches(*options, str(here)).exit_code == 0
    script = "from pipeline.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", script, "compile", *options, str(there)],
        check=True,
        cwd=there.parent,
        stdout=subprocess.DEVNULL,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONHASHSEED": "7",
            "HOME": str(tmp_path),
            "USER": "somebody",
        },
    )
    assert there.read_bytes() == here.read_bytes()


_OUT = ("--output", "out.yaml")
_TO = ("--target", "kubeflow")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((*_TO, *_OUT), "platform.image: no image; expected the container image"),
        ((*_TO, "--output", "out.json", "--image", IMAGE), "--output: found 'out.json', expected"),
        ((*_TO, "--output", "no/out.yaml", "--image", IMAGE), "--output: no/out.yaml cannot be"),
        (
            (*_TO, *_OUT, "--image", IMAGE, "--set", "platform.resources={Trainer: {cpu: 1}}"),
            "platform.resources: found 'Trainer', expected names of components: ",
        ),
    ],
)
def test_what_cannot_be_compiled_is_one_sentence_and_leaves_nothing(arguments, sentence):
    result = hpatches(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(sentence) and result.stderr.count("\n") == 1
    assert list(Path.cwd().iterdir()) == []


def test_a_file_that_was_there_stays_when_compiling_fails(tmp_path):
    path = tmp_path / "out.yaml"
    path.write_text("earlier")
    hpatches(*_TO, "--image", IMAGE, "--output", str(path), "--set", "beam=['--project=mine']")
    assert path.read_text() == "earlier"


def test_the_packaged_tpu_configuration_wants_nothing_but_images(tmp_path):
    arguments = ("--target", "vertex", "--config", "vertex_tpu", "--image", IMAGE)
    path = tmp_path / "tpu.json"
    refused = hpatches(*arguments, "--output", str(path))
    assert refused.exit_code == 2
    assert refused.stderr.startswith("platform.training.image is missing")
    trainer = "registry.example.com/hpatches-trainer-tpu@sha256:" + "0" * 64
    given = ("--set", f"platform.training.image={trainer}")
    done = hpatches(*arguments, *given, "--output", str(path))
    assert done.exit_code == 0, done.output
    names = {"project", "location", "staging"}
    assert names <= set(files.read(str(path))["root"]["inputDefinitions"]["parameters"])

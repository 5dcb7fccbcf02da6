"""docs/cloud.md names commands, options and settings that exist."""

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from components.descriptor_trainer.vertex import check
from pipeline.cli import cli
from pipeline.config.tree import load_config
from pipeline.kfp.platform_check import check_platform
from pipeline.runners import beam_options

_PAGE = Path(__file__).parents[3] / "docs" / "cloud.md"
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def _blocks(kind: str) -> list[str]:
    return [text for language, text in _BLOCK.findall(_PAGE.read_text()) if language == kind]


def _commands() -> list[list[str]]:
    lines = "\n".join(_blocks("")).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip().startswith("hpatches ")]


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_commands_are_complete(words):
    command = cli.commands[words[1]]
    options = {
        name: option
        for option in command.params
        if isinstance(option, click.Option)
        for name in option.opts
    }
    used = [word for word in words if word.startswith("--")]
    assert set(used) <= set(options)
    required = {name for name, option in options.items() if option.required}
    assert required <= set(used)


def test_both_platforms_are_there():
    commands = [words for words in _commands() if "--target" in words]
    targets = [words[words.index("--target") + 1] for words in commands]
    assert sorted(targets) == ["kubeflow", "kubeflow", "vertex", "vertex"]


def _configuration(part: str) -> str:
    """Returns the configuration on the page that has a part, of a project that has a name."""
    (block,) = [text for text in _blocks("yaml") if part in text]
    return block.replace("REGION-", "us-west4-").replace("/PROJECT/", "/my-project/")


def _compiles(part: str, folder: Path) -> None:
    (folder / "beam.yaml").write_text("base: demo\n" + _configuration(part))
    config = load_config(str(folder / "beam.yaml"))
    check_platform(config, "vertex", "us-west4-docker.pkg.dev/my-project/hpatches/pipeline:1")
    beam_options.check(config.beam)


def test_the_options_for_dataflow_can_be_compiled(tmp_path):
    _compiles("--runner=DataflowRunner", tmp_path)


def test_the_options_for_a_pool_of_workers_can_be_compiled(tmp_path):
    _compiles("--environment_type=EXTERNAL", tmp_path)


def test_the_configuration_can_run(tmp_path):
    text = _configuration("platform:")
    (tmp_path / "tpu.yaml").write_text(text)
    config = load_config(str(tmp_path / "tpu.yaml"))
    assert (
        config.platform.training.model_dump(exclude_unset=True)
        == (yaml.safe_load(text)["platform"]["training"])
    )
    check.check(config.platform.training, config.training)

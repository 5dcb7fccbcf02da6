"""The command line as such: quick help, and how commands end."""

import os
import resource
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import cli
from pipeline.config import files
from trainer.core.errors import UserError
from trainer.core.interruption import Interrupted

_HEAVY = ("tensorflow", "tf_keras", "tfx", "apache_beam", "cv2", "pandas", "scipy", "sklearn")
_NAMES = (
    "fetch run extract describe evaluate compare match features export compile run-spec submit "
    "config runs report rollback clean"
)
_COMMANDS = [[], *([name] for name in _NAMES.split()), ["config", "show"], ["config", "check"]]
_HELP = f"""
import sys
from click.testing import CliRunner
from pipeline.cli import cli
for command in {_COMMANDS}:
    result = CliRunner().invoke(cli, [*command, "--help"])
    assert result.exit_code == 0 and "Usage:" in result.output, command
print("loaded:", *[name for name in {_HEAVY} if name in sys.modules])
"""


def test_help_answers_at_once_and_loads_no_heavy_library():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.check_output([sys.executable, "-c", _HELP], text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert output == "loaded:\n"
    # Processor time: a busy machine does not fail it.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3.0


def test_every_command_is_documented_and_in_the_list_above():
    def walk(command: click.Command, path: list[str]):
        assert command.help, path
        assert all(p.help for p in command.params if isinstance(p, click.Option)), path
        yield path
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, [*path, name])

    assert sorted(walk(cli, [])) == sorted(_COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["run", "--nothing"],
        ["run", "--format", "videos"],
        ["extract", "--format", "photos", "--input", "a"],
        ["evaluate", "--data", "x"],
        ["evaluate", "--data", "x", "--baseline", "sift", "--baseline", "pixels", "--rows", "r"],
        ["evaluate", "--data", "x", "--baseline", "surf"],
        ["evaluate", "--data", "x", "--baseline", "sift", "--task", "guessing"],
        ["match", "a.png", "--baseline", "sift", "--output", "c.png"],
        ["match", "a.png", "b.png", "--output", "c.png"],
        ["match", "a.png", "b.png", "--baseline", "sift", "--output", "c.png", "--ratio", "0"],
        ["rollback"],
        ["rollback", "newest"],
        ["clean", "--keep", "0"],
    ],
    ids=" ".join,
)
def test_mistyped_commands_exit_with_2(arguments):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


@pytest.fixture
def failing(monkeypatch):
    def _add(error: BaseException):
        @click.command()
        def fail():
            raise error

        monkeypatch.setitem(cli.commands, "fail", fail)
        return CliRunner().invoke(cli, ["fail"])

    return _add


@pytest.mark.parametrize("sentence", ["a.png: found 64 [pixels], expected 65", "word " * 100 + "."])
@pytest.mark.parametrize("wrapped", [False, True], ids=["raised", "the cause of another error"])
def test_a_users_mistake_is_one_sentence_on_stderr_and_exit_2(failing, sentence, wrapped):
    error = RuntimeError("beam") if wrapped else UserError(sentence)
    if wrapped:
        error.__cause__ = UserError(sentence)
    result = failing(error)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{sentence}\n"


def test_a_bug_keeps_its_exception(failing):
    result = failing(KeyError("bug"))
    assert result.exit_code == 1
    assert isinstance(result.exception, KeyError)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_exits_with_130(failing, error):
    result = failing(error)
    assert result.exit_code == 130
    assert result.stderr.startswith("Stopped")


def test_a_training_that_saved_itself_says_so(failing):
    stop = Interrupted("stopped at step 7; the same command goes on from there", signal.SIGTERM)
    result = failing(stop)
    assert result.exit_code == 143
    assert "the training stopped at step 7; the same command goes on from there." in result.stderr


def test_the_installed_command_prints_mistakes_without_a_traceback(tmp_path):
    script = "from pipeline.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", script, "config", "show", "--config", "nowhere.yaml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("configuration 'nowhere.yaml': There is no such file")
    assert result.stderr.count("\n") == 1


def test_config_show_prints_what_config_reads(tmp_path):
    shown = CliRunner().invoke(cli, ["config", "show", "--set", "training.seed=7"])
    assert shown.exit_code == 0
    path = tmp_path / "shown.yaml"
    path.write_text(shown.stdout)
    again = CliRunner().invoke(cli, ["config", "show", "--config", str(path)])
    assert again.stdout == shown.stdout
    lines = [line.strip() for line in shown.stdout.splitlines()]
    training = lines[lines.index("training:") :]
    assert training.index("seed: 7") < training.index("stages:")  # what is set, what is common
    assert training.index("stages:") < training.index("model:")


@pytest.mark.parametrize("name", files.packaged_names())
def test_config_check_finds_nothing_wrong_with_what_is_packaged(name):
    result = CliRunner().invoke(cli, ["config", "check", "--config", name])
    assert result.exit_code == 0
    assert result.stdout == f"{name} (packaged): nothing wrong with it.\n"


def test_config_check_lists_every_problem(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("nam: x\nwarm_start: 1\ndata: {seed: -1}\n")
    result = CliRunner().invoke(cli, ["config", "check", "--config", str(path)])
    assert result.exit_code == 2
    assert sorted(result.stderr.splitlines()) == [
        f"{path}: data.seed: found -1, expected at least 0",
        f"{path}: nam: unknown key; did you mean 'name'?",
        f"{path}: warm_start: found 1, expected true or false",
    ]

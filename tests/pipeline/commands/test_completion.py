"""What a shell is told when Tab is pressed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from pipeline.cli import cli

_COMMAND = str(Path(sys.executable).with_name("hpatches"))


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("ru", ["plain run", "plain run-spec", "plain runs"]),
        ("evaluate --bas", ["plain --baseline"]),
        ("fetch brown-n", ["plain brown-notredame"]),
        ("compile --target v", ["plain vertex"]),
        ("config sh", ["plain show"]),
        ("describe --data my", ["dir my"]),
        ("compare --json re", ["file re"]),
        ("report --work de", ["dir de"]),
        ("evaluate --model de", ["dir de"]),
        ("run --config my", ["file my"]),
        ("run --set tr", []),
    ],
)
def test_words_and_paths_are_completed(typed, answer):
    *words, last = typed.split(" ")
    found = ShellComplete(cli, {}, "hpatches", "_HPATCHES_COMPLETE").get_completions(words, last)
    assert sorted(f"{item.type} {item.value}" for item in found) == answer


def test_the_installed_command_answers_bash_by_the_script_that_it_prints():
    source = os.environ | {"_HPATCHES_COMPLETE": "bash_source"}
    script = subprocess.check_output([_COMMAND], env=source, text=True)
    typed = (
        f'PATH="{Path(_COMMAND).parent}:$PATH"; COMP_WORDS=(hpatches rol); COMP_CWORD=1; '
        '_hpatches_completion hpatches; echo "${COMPREPLY[@]}"'
    )
    told = subprocess.check_output(["bash", "-c", f"{script}\n{typed}"], text=True)
    assert told.split()[-1] == "rollback"

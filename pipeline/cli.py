"""The `hpatches` command.

Command modules import TensorFlow, TFX and Beam inside their functions: `--help` and
mistyped options must answer at once.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from pipeline.commands.completion import complete_paths
from pipeline.commands.config import config_group
from pipeline.commands.descriptors.compare import compare
from pipeline.commands.descriptors.describe import describe
from pipeline.commands.descriptors.evaluate import evaluate
from pipeline.commands.descriptors.export import export
from pipeline.commands.descriptors.extract import extract
from pipeline.commands.descriptors.features import features
from pipeline.commands.descriptors.match import match
from pipeline.commands.fetch import fetch
from pipeline.commands.runs.compile import compile_command
from pipeline.commands.runs.house_keeping import clean, rollback, runs
from pipeline.commands.runs.report import report
from pipeline.commands.runs.run import run
from pipeline.commands.runs.run_spec import run_spec
from pipeline.commands.runs.submit import submit
from pipeline.terminal import consoles, noise
from pipeline.terminal.consoles import tell_problem
from pipeline.terminal.user_errors import find_user_error
from trainer.core import interruption
from trainer.core.interruption import Interrupted

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


class _Commands(click.Group):
    """A command group that tells users' mistakes in one sentence and bugs in full."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with interruption.unwrapped(swallowed=False):  # some commands take it for an answer
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, click.Abort) as stop:
            said = "Stopped before the end"
            if ctx.invoked_subcommand in ("run", "run-spec"):
                said += "; finished components are kept and not run again"
            if isinstance(stop, Interrupted):
                said += f"; the training {stop}"
            tell_problem(f"{said}.")
            ctx.exit(stop.exit_status if isinstance(stop, Interrupted) else EXIT_INTERRUPTED)
        except Exception as error:
            mistake = find_user_error(error)
            if mistake is None:
                raise
            tell_problem(str(mistake))
            ctx.exit(EXIT_USER_ERROR)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Show what the libraries log.")
@click.version_option(package_name="hpatches-pipeline", prog_name="hpatches")
def cli(verbose: bool) -> None:
    """Trains, judges and ships local patch descriptors: images in, a better model out."""
    consoles.print_everything()
    noise.quieten(verbose)


for _command in (
    fetch,
    run,
    extract,
    describe,
    evaluate,
    compare,
    features,
    match,
    export,
    compile_command,
    run_spec,
    submit,
    config_group,
    report,
    runs,
    rollback,
    clean,
):
    cli.add_command(_command)
complete_paths(cli)


def main() -> None:
    """Entry point of the `hpatches` script."""
    sys.exit(cli())


if __name__ == "__main__":
    main()

"""Compiles the training step and inference for TPUs and prints what the compiler says.

`python -m benchmarks.tpu` compiles what is missing in `benchmarks/results/tpu.json` (half an
hour of two cores when nothing is there) and prints the table of docs/cloud.md;
`--table` only prints; `--small` compiles one small step and keeps nothing. Needs `make tpu-env`,
and no TPU.
"""

from __future__ import annotations

import sys

import click

from pipeline.terminal import consoles, noise
from trainer.core.errors import UserError


@click.command()
@click.option("--ledger", default=None, help="File that the results are kept in.")
@click.option("--table", is_flag=True, help="Print what was compiled before.")
@click.option("--small", is_flag=True, help="Compile one small step and keep nothing.")
def main(ledger: str | None, table: bool, small: bool) -> None:
    """Compile what is missing for TPUs and print the table."""
    noise.quieten(verbose=False)
    from benchmarks.harness.ledger import Ledger  # after `quieten`: TensorFlow talks
    from benchmarks.tpu import check

    console = consoles.output()
    try:
        if small:
            click.echo(check.small(console))
            return
        results = Ledger(ledger or check.LEDGER)
        if not table:
            check.compile_missing(results, console)
        click.echo(check.kept(results))
    except UserError as error:
        consoles.tell_problem(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()

"""Runs the benchmarks and prints a table for each.

python -m benchmarks                    # all
python -m benchmarks extraction         # one
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
from rich.console import Console

from benchmarks import evaluation, extraction, real_sequences
from pipeline.terminal import noise
from trainer.errors import UserError

BENCHMARKS = {
    "extraction": extraction.run,
    "evaluation": evaluation.run,
    "real-sequences": real_sequences.run,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--work", default="./demo", help="Work folder of the demo, whose model is measured.")
def main(names: tuple[str, ...], work: str) -> None:
    """Measure quality and speed; without NAMES, everything."""
    noise.quieten(verbose=False)
    console = Console(width=110)
    for name in names or BENCHMARKS:
        console.rule(name)
        try:
            console.print(BENCHMARKS[name](work))
        except UserError as error:
            console.print(f"skipped: {error}", soft_wrap=True)


if __name__ == "__main__":
    main()

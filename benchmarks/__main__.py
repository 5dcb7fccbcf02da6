"""Runs the benchmarks and prints a table for each.

python -m benchmarks                    # all
python -m benchmarks extraction         # one
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click  # noqa: E402
from rich.console import Console  # noqa: E402

from benchmarks import evaluation, extraction, real_sequences  # noqa: E402
from pipeline.terminal import noise  # noqa: E402
from trainer.errors import UserError  # noqa: E402

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

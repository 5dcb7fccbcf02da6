"""Compiles the training step and inference for TPUs and prints what the compiler says.

`python -m benchmarks.tpu` compiles what is missing in `benchmarks/results/tpu.json` (half an
hour of two cores when nothing is there) and prints the table of docs/cloud.md; `--table` only
prints; `--small` compiles one small step and keeps nothing. Needs `make tpu-env`, and no TPU.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks.harness.ledger import Ledger
from benchmarks.tpu import compiler, table
from benchmarks.tpu.cases import CASES, SMALL, Case
from benchmarks.tpu.compiler import Compiled
from pipeline.terminal import consoles, noise
from trainer.core.errors import UserError

LEDGER = Path(__file__).parents[1] / "results" / "tpu.json"


def measure(case: Case) -> dict[str, Any]:
    """Lowers and compiles a case; returns the fields of `Compiled`."""
    from benchmarks.tpu.lowering import lowered  # TensorFlow, which the table alone does without

    return compiler.compile_for(case, lowered(case))


def _results(ledger: Ledger) -> dict[Case, Compiled]:
    return {case: Compiled(**kept) for case in CASES if (kept := ledger.get(case.key))}


def _measure_missing(ledger: Ledger, console: Console) -> None:
    compiler.require()
    todo = [case for case in CASES if ledger.get(case.key) is None]
    for number, case in enumerate(todo, start=1):
        console.print(f"{number} of {len(todo)}: {case.key}", soft_wrap=True)
        with console.status("compiling, some minutes"):
            ledger.put(case.key, measure(case))


@click.command()
@click.option("--ledger", default=str(LEDGER), help="Where the results are kept.")
@click.option("--table", "only_table", is_flag=True, help="Print what was compiled before.")
@click.option("--small", is_flag=True, help="Compile one small step; keeps nothing.")
def main(ledger: str, only_table: bool, small: bool) -> None:
    """Compile what is missing for TPUs and print the table."""
    noise.quieten(verbose=False)
    console = consoles.output()
    kept = Ledger(ledger)
    try:
        if small:
            compiler.require()
            console.print(f"compiling {SMALL.key}, about a minute")
            click.echo(table.markdown({SMALL: Compiled(**measure(SMALL))}))
            return
        if not only_table:
            _measure_missing(kept, console)
    except UserError as error:
        consoles.tell_problem(str(error))
        sys.exit(1)
    click.echo(table.markdown(_results(kept)))


if __name__ == "__main__":
    main()

"""The collapse matrix: where plain training collapses, and what the controller does about it.

Losses x distances x final normalisations at a hard batch (S 64, K 8), small width, two
rates, three seeds: plain training, plain training with a warm-up and clipped gradients, and
the controller, at equal patches seen. `python -m benchmarks.training.collapse` measures what is
missing in `benchmarks/results/collapse.json` (an hour and a half of one core when nothing is
there) and prints the table; `--table` only prints. `make bench` runs 12 cells anew.

The rates: 1e-2 is what the shipped plans run at, 1e-3 is Adam's default. At 1e-2 a collapse
begins within 20 steps and 120 are enough to end above normalised pixels; 1e-3 is slower in
both and gets 200.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import click
import tensorflow as tf
from rich.table import Table

from benchmarks.harness.ledger import Ledger
from benchmarks.training import training_data
from benchmarks.training.collapse_matrix import (
    NORMALISATIONS,
    PIXELS,
    Cell,
    cells_table,
    detection,
    key_of,
    map_of,
    markdown,
    missing,
    sentences,
)
from benchmarks.training.collapse_runs import Data, run_gentle, run_pair
from pipeline.terminal import consoles, noise

LEDGER = Path(__file__).parents[1] / "results" / "collapse.json"


def _measure(ledger: Ledger, data: Data, todo: list[tuple[str, Cell]]) -> None:
    ledger.put(PIXELS, round(data.pixels, 4))
    console = consoles.output()
    for number, (arm, cell) in enumerate(todo, start=1):
        key = key_of(arm, cell)
        console.print(f"{number} of {len(todo)}: {key}", soft_wrap=True)
        ledger.put(key, run_gentle(cell, data) if arm == "gentle" else run_pair(cell, data))


def run(work: str) -> Table:
    """Runs 12 cells with a seed that the matrix does not have and returns their table."""
    settings = [
        (loss, distance, normalisation)
        for loss, distance in (
            ("hinge", "euclidean"),
            ("hinge", "squared"),
            ("soft_margin", "euclidean"),
        )
        for normalisation in NORMALISATIONS
    ]
    data = Data(training_data.demo_examples(work))
    table = Table(
        title=f"Collapse at S 64, K 8, rate 1e-2, seed 6; normalised pixels {100 * data.pixels:.1f}"
    )
    for column in ("loss", "final normalisation", "plain", "controller", "onset, detected"):
        table.add_column(column, justify="right" if column in ("plain", "controller") else "left")
    for loss, distance, normalisation in settings:
        result = run_pair(Cell(loss, distance, normalisation, 1e-2, 6), data)
        table.add_row(
            f"{loss.replace('_', ' ')}, {distance}",
            normalisation.replace("_", " "),
            map_of(result["plain"], data.pixels),
            map_of(result["controller"], data.pixels),
            detection(result["controller"]),
        )
    return table


@click.command()
@click.option("--work", default="./demo", help="Work folder that keeps the examples.")
@click.option("--ledger", default=str(LEDGER), help="Where the results are kept.")
@click.option("--table", is_flag=True, help="Print the Markdown table of what has been measured.")
def main(work: str, ledger: str, table: bool) -> None:
    """Measure what is missing and print the table."""
    noise.quieten(verbose=False)
    console = consoles.output()
    kept = Ledger(ledger)
    if table:
        click.echo(markdown(kept))
    else:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        while todo := missing(kept):
            _measure(kept, Data(training_data.demo_examples(work)), todo)
        console.print(cells_table(kept))
    for sentence in sentences(kept):
        console.print(sentence, soft_wrap=True, highlight=False)


if __name__ == "__main__":
    main()

"""Runs the benchmarks and prints a table for each.

python -m benchmarks                    # all
python -m benchmarks extraction         # one
"""

from __future__ import annotations

import importlib

import click

from pipeline.terminal import consoles, noise
from trainer.errors import UserError

BENCHMARKS = {  # module by name
    "extraction": "benchmarks.extraction",
    "evaluation": "benchmarks.evaluation",
    "evaluation-scale": "benchmarks.evaluation_scale",
    "describing": "benchmarks.describing",
    "gate": "benchmarks.gate",
    "real-sequences": "benchmarks.real_sequences",
    "training-speed": "benchmarks.training_speed",
    "sampling": "benchmarks.sampling",
    "memory": "benchmarks.memory",
    "kill": "benchmarks.kill",
    "collapse": "benchmarks.collapse",
    "quality": "benchmarks.quality",
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--work", default="./demo", help="Work folder of the demo, whose model is measured.")
def main(names: tuple[str, ...], work: str) -> None:
    """Measure quality and speed; without NAMES, everything."""
    noise.quieten(verbose=False)
    console = consoles.output()
    for name in names or BENCHMARKS:
        console.rule(name)
        benchmark = importlib.import_module(BENCHMARKS[name])  # after `quieten`: TensorFlow talks
        try:
            console.print(benchmark.run(work))
        except UserError as error:
            console.print(f"skipped: {error}", soft_wrap=True)


if __name__ == "__main__":
    main()

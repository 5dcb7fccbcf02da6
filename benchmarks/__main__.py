"""Runs the benchmarks and prints a table for each; ends with 1 when a target was missed.

python -m benchmarks                    # all
python -m benchmarks extraction         # one
"""

from __future__ import annotations

import importlib
import sys

import click

from benchmarks.harness.targets import MissedError
from pipeline.terminal import consoles, noise
from trainer.core.errors import UserError

BENCHMARKS = {  # module by name
    "start-up": "benchmarks.start_up",
    "extraction": "benchmarks.extraction",
    "evaluation": "benchmarks.evaluator.evaluation",
    "evaluation-scale": "benchmarks.evaluator.evaluation_scale",
    "describing": "benchmarks.evaluator.describing",
    "gate": "benchmarks.evaluator.gate",
    "real-sequences": "benchmarks.demo.real_sequences",
    "calibration": "benchmarks.calibration.calibration",
    "peers": "benchmarks.calibration.peers",
    "regions": "benchmarks.downstream.regions",
    "growth": "benchmarks.growth.growth",
    "downstream": "benchmarks.downstream.downstream",
    "training-speed": "benchmarks.training.training_speed",
    "sampling": "benchmarks.training.sampling",
    "infeed": "benchmarks.training.infeed",
    "memory": "benchmarks.training.memory",
    "kill": "benchmarks.training.kill",
    "collapse": "benchmarks.training.collapse",
    "quality": "benchmarks.training.quality",
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--work", default="./demo", help="Work folder of the demo, whose model is measured.")
def main(names: tuple[str, ...], work: str) -> None:
    """Measure quality and speed; without NAMES, everything.

    A target that is missed does not stop the others; the exit status is then 1.
    """
    noise.quieten(verbose=False)
    console, missed = consoles.output(), False
    for name in names or BENCHMARKS:
        console.rule(name)
        benchmark = importlib.import_module(BENCHMARKS[name])  # after `quieten`: TensorFlow talks
        try:
            console.print(benchmark.run(work))
        except MissedError as error:
            missed = True
            if error.table is not None:
                console.print(error.table)
            console.print(f"missed: {error}", style="bold red", soft_wrap=True)
        except UserError as error:
            console.print(f"skipped: {error}", soft_wrap=True)
    if missed:
        sys.exit(1)


if __name__ == "__main__":
    main()

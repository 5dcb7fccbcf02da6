"""`hpatches evaluate`: descriptors to the benchmark's numbers."""

from __future__ import annotations

import click

from pipeline.commands.output_files import check_writable, write_json
from pipeline.terminal import consoles
from pipeline.terminal.scores_table import print_scores
from pipeline.terminal.work_view import show_progress

TASKS = ("verification", "matching", "retrieval")
BASELINES = ("rootsift", "rootsift-smoothed", "sift", "pixels")


@click.command()
@click.option("--model", metavar="SAVEDMODEL", help="Score an exported model.")
@click.option("--descriptors", metavar="CSVDIR", help="Score descriptors from CSV files.")
@click.option("--baseline", type=click.Choice(BASELINES), help="Score a handmade descriptor.")
@click.option(
    "--data",
    metavar="DIR",
    required=True,
    help="HPatches patch release (with --descriptors only its names and counts are used).",
)
@click.option("--split", metavar="NAME", help="Score the test sequences of a split, e.g. a.")
@click.option(
    "--splits", "splits_file", metavar="FILE", help="Splits file [default: the official splits]."
)
@click.option(
    "--tasks",
    "tasks_folder",
    metavar="DIR",
    help="Published task files of the split [default: tasks are drawn by the same rules].",
)
@click.option(
    "--task", "which", type=click.Choice(TASKS), multiple=True, help="Only this task; repeatable."
)
@click.option("--json", "json_file", metavar="FILE", help="Also write the numbers as JSON.")
def evaluate(
    model: str | None,
    descriptors: str | None,
    baseline: str | None,
    data: str,
    split: str | None,
    splits_file: str | None,
    tasks_folder: str | None,
    which: tuple[str, ...],
    json_file: str | None,
) -> None:
    """Score descriptors on patch verification, image matching and patch retrieval.

    Exactly one of --model, --descriptors and --baseline says what is scored.
    """
    if sum(value is not None for value in (model, descriptors, baseline)) != 1:
        raise click.UsageError("Give exactly one of --model, --descriptors and --baseline.")
    check_writable("--json", json_file)

    from components.descriptor_evaluator.evaluate import evaluate_release  # imports SciPy

    with show_progress():
        result = evaluate_release(
            data,
            model=model,
            descriptors=descriptors,
            baseline=baseline,
            split=split,
            splits_file=splits_file,
            tasks_folder=tasks_folder,
            which=[task for task in TASKS if not which or task in which],
        )
    if json_file is not None:
        write_json("--json", json_file, result)
    print_scores(consoles.output(), result)

"""`hpatches evaluate`: descriptors to the benchmark's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from components.core.files import check_writable, write_json
from components.core.names import TASK_NAMES
from pipeline.commands.descriptors import other_data
from pipeline.commands.options import (
    DISTANCES,
    TASKS_OPTION,
    TRUST_OPTION,
    baseline_option,
    json_option,
)
from pipeline.terminal import consoles
from pipeline.terminal.scores_table import print_scores
from pipeline.terminal.work_view import show_progress

if TYPE_CHECKING:
    from components.descriptor_evaluator.protocol.distances import Distance


@click.command()
@click.option("--model", metavar="SAVEDMODEL", help="Score an exported model.")
@click.option("--descriptors", metavar="CSVDIR", help="Score descriptors from CSV files.")
@baseline_option(
    "Score a handcrafted descriptor (the smoothed ones: blur 3 px, size 1/6, no border)."
)
@click.option(
    "--data",
    metavar="DIR",
    required=True,
    help="HPatches patch release (with --descriptors only its names and counts are used); for "
    "`pairs` image sequences with homographies, for `brown` a PhotoTour set.",
)
@click.option("--split", metavar="NAME", help="Score the test sequences of a split, e.g. a.")
@click.option(
    "--splits", "splits_file", metavar="FILE", help="Splits file [default: the official splits]."
)
@TASKS_OPTION
@click.option(
    "--task",
    "which",
    type=click.Choice(TASK_NAMES + other_data.TASKS),
    multiple=True,
    help="Only this task; repeatable. `pairs` matches images, `brown` is FPR95.",
)
@click.option(
    "--distance",
    type=click.Choice(DISTANCES),
    default="l2",
    show_default=True,
    help="Distance metric.",
)
@click.option(
    "--pairs", "pairs_file", metavar="FILE", help="Pairs of a PhotoTour set [default: its only]."
)
@TRUST_OPTION
@json_option()
@click.option(
    "--rows", "rows_folder", metavar="DIR", help="Also store every unit's score, for `compare`."
)
def evaluate(
    data: str,
    model: str | None,
    descriptors: str | None,
    baseline: str | None,
    which: tuple[str, ...],
    distance: Distance,
    json_file: str | None,
    **options: str | None,
) -> None:
    """Score descriptors on patch verification, image matching and patch retrieval.

    Exactly one of --model, --descriptors and --baseline says what is scored. `--task pairs`
    detects points anew in every image and matches them, `--task brown` scores pairs of a
    PhotoTour set; both take --model, --baseline or both.
    """
    pairs_file, rows_folder = options.pop("pairs_file"), options.pop("rows_folder")
    trusted = bool(options.pop("trusted"))
    releases = {
        "--descriptors": descriptors,
        "--split": options["split"],
        "--splits": options["splits_file"],
        "--tasks": options["tasks_folder"],
        "--rows": rows_folder,
        f"--distance {distance}": distance != "l2",
    }
    other = other_data.check_options(which, releases, pairs_file)
    if other is not None:
        if model is None and baseline is None:
            raise click.UsageError("Give --model, --baseline or both.")
        check_writable("--json", json_file)
        other_data.evaluate(
            other,
            data=data,
            model=model,
            baseline=baseline,
            pairs_file=pairs_file,
            json_file=json_file,
            trusted=trusted,
        )
        return
    if sum(value is not None for value in (model, descriptors, baseline)) != 1:
        raise click.UsageError("Give exactly one of --model, --descriptors and --baseline.")
    check_writable("--json", json_file)

    # Imports SciPy.
    from components.descriptor_evaluator.descriptors.describer import Describer
    from components.descriptor_evaluator.scoring.evaluate import ReleaseOptions, evaluate_release

    describer = Describer(
        baseline or "scored", model or "", descriptors or "", baseline or "", trusted=trusted
    )
    tasks = [task for task in TASK_NAMES if not which or task in which]
    chosen = ReleaseOptions(**options, which=tasks, distance=distance)
    with show_progress():
        result = evaluate_release(data, describer, chosen, rows_folder=rows_folder)
    if json_file is not None:
        write_json(json_file, result)
    print_scores(consoles.output(), result)

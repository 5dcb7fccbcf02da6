"""`hpatches evaluate`: descriptors to the benchmark's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from components.core.files import check_writable, write_json
from components.core.names import TASK_NAMES
from components.descriptor_evaluator.descriptors.describer import Describer
from components.descriptor_evaluator.published.matching import published_on
from pipeline.commands.descriptors import other_data
from pipeline.commands.options import (
    DISTANCES,
    TABLE_OPTION,
    TASKS_OPTION,
    TRUST_OPTION,
    baseline_option,
    json_option,
    model_option,
    published_options,
)
from pipeline.terminal import consoles
from pipeline.terminal.published_table import NOTHING_PUBLISHED, published_json, published_table
from pipeline.terminal.scores_table import name_of, print_scores
from pipeline.terminal.tables import check_table_file, save_table
from pipeline.terminal.work_view import show_progress

if TYPE_CHECKING:
    from components.descriptor_evaluator.protocol.distances import Distance


@click.command()
@model_option("Score an exported model.", multiple=True)
@click.option(
    "--descriptors", "trees", metavar="CSVDIR", multiple=True, help="Score descriptors (CSV)."
)
@baseline_option(
    "Score a handcrafted descriptor (the smoothed ones: blur 3 px, size 1/6, no border).",
    multiple=True,
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
@published_options("Also show published matching mAP on the same image sequences.", "all 23")
@TRUST_OPTION
@json_option()
@TABLE_OPTION
@click.option(
    "--rows", "rows_folder", metavar="DIR", help="Also store every unit's score, for `compare`."
)
def evaluate(
    data: str,
    models: tuple[str, ...],
    trees: tuple[str, ...],
    baseline: tuple[str, ...],
    which: tuple[str, ...],
    distance: Distance,
    trusted: bool,
    published: tuple[str, ...] | None,
    **options: str | None,
) -> None:
    """Score descriptors on patch verification, image matching and patch retrieval.

    --model, --descriptors and --baseline say what is scored; each can be repeated, and several
    descriptors are shown in one table. `--task pairs` detects points anew in every image and
    matches them, `--task brown` scores pairs of a PhotoTour set; both take one --model, one
    --baseline or both.
    """
    json_file, table_file = options.pop("json_file"), options.pop("table_file")
    pairs_file, rows_folder = options.pop("pairs_file"), options.pop("rows_folder")
    releases = {
        "--descriptors": trees,
        "--split": options["split"],
        "--splits": options["splits_file"],
        "--tasks": options["tasks_folder"],
        "--rows": rows_folder,
        "--table": table_file,
        "--published": published is not None,
        f"--distance {distance}": distance != "l2",
    }
    other = other_data.check_options(which, releases, pairs_file)
    if other is not None:
        if not 1 <= len(models) + len(baseline) <= 2 or max(len(models), len(baseline)) > 1:
            raise click.UsageError("Give one --model, one --baseline or both.")
        check_writable("--json", json_file)
        other_data.evaluate(
            other,
            data=data,
            model=next(iter(models), None),
            baseline=next(iter(baseline), None),
            pairs_file=pairs_file,
            json_file=json_file,
            trusted=trusted,
        )
        return
    count = len(models) + len(trees) + len(baseline)
    if not count:
        raise click.UsageError("Give --model, --descriptors or --baseline.")
    if rows_folder is not None and count > 1:
        raise click.UsageError("--rows goes with one descriptor; evaluate each on its own.")
    check_writable("--json", json_file)
    check_table_file(table_file)

    # Imports SciPy.
    from components.descriptor_evaluator.scoring.evaluate import ReleaseOptions, evaluate_release

    describers = [
        *(Describer("scored", model=model, trusted=trusted) for model in models),
        *(Describer("scored", descriptors=tree) for tree in trees),
        *(Describer(name, baseline=name) for name in baseline),
    ]
    tasks = [task for task in TASK_NAMES if not which or task in which]
    chosen = ReleaseOptions(**options, which=tasks, distance=distance)
    with show_progress():
        results = evaluate_release(data, describers, chosen, rows_folder=rows_folder)
    others = [] if published is None else published_on(results[0]["by_sequence"], published)
    if json_file is not None:
        content = results[0] if count == 1 else {"descriptors": results}
        told = {"published": published_json(others)} if published is not None else {}
        write_json(json_file, {**content, **told})
    console = consoles.output()
    table = print_scores(console, results)
    if others:
        scored = {name_of(result): result["by_sequence"] for result in results}
        table = published_table(scored, others)
        console.print(table)
    elif published is not None:
        console.print(NOTHING_PUBLISHED, soft_wrap=True)
    if table_file is not None:
        save_table(table_file, table)

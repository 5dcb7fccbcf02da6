"""The tasks of `hpatches evaluate` whose data are no patch release: pairs and brown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from components.core.files import write_json
from pipeline.terminal import consoles
from pipeline.terminal.pairs_table import print_pairs
from pipeline.terminal.tables import make_table
from pipeline.terminal.work_view import show_progress

TASKS = ("pairs", "brown")


def evaluate(
    task: str,
    *,
    data: str,
    model: str | None,
    baseline: str | None,
    pairs_file: str | None,
    json_file: str | None,
    trusted: bool,
) -> None:
    """Scores a model, a handcrafted descriptor or both, prints a table and writes the JSON."""
    from components.matching.brown.evaluate import evaluate_brown  # they import OpenCV and SciPy
    from components.matching.pairs.evaluate import evaluate_pairs

    with show_progress():
        if task == "brown":
            result = evaluate_brown(
                data, pairs_file=pairs_file, model=model, baseline=baseline, trusted=trusted
            )
        else:
            result = evaluate_pairs(data, model=model, baseline=baseline, trusted=trusted)
    if json_file is not None:
        write_json(json_file, {"task": task, **result})
    if task == "brown":
        _print_brown(result)
    else:
        print_pairs(consoles.output(), result)


def check_options(
    which: tuple[str, ...], given: Mapping[str, Any], pairs_file: str | None
) -> str | None:
    """Returns the task of other data that is asked for, or None.

    `given` are the values of the options that belong to patch releases alone.

    Raises:
        UsageError: When options do not fit together.
    """
    asked = [task for task in TASKS if task in which]
    if pairs_file is not None and asked != ["brown"]:
        raise click.UsageError("--pairs goes with --task brown.")
    if not asked:
        return None
    if len(set(which)) > 1:
        raise click.UsageError(f"--task {asked[0]} has data of its own and goes alone.")
    for option, value in given.items():
        if value:
            raise click.UsageError(f"{option} does not go with --task {asked[0]}.")
    return asked[0]


def _print_brown(result: Mapping[str, Any]) -> None:
    data, console = result["data"], consoles.output()
    console.print(
        f"{data['matches']} matching and {data['others']} other pairs; false positives at 95 % "
        f"recall, per cent",
        soft_wrap=True,
    )
    table = make_table(None, ("descriptor",), ("FPR95",))
    for descriptor in result["descriptors"]:
        table.add_row(descriptor["name"], f"{100 * descriptor['fpr95']:.2f}")
    console.print(table)

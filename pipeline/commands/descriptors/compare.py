"""`hpatches compare`: descriptors against the first one, paired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from components.core import files
from components.core.files import check_writable, write_json
from components.descriptor_evaluator.published.matching import SHOWN, published_on
from components.descriptor_evaluator.scoring import provenance, result_files
from pipeline.commands.descriptors import compare_options
from pipeline.commands.options import (
    DISTANCES,
    TABLE_OPTION,
    TASKS_OPTION,
    TRUST_OPTION,
    json_option,
    published_options,
)
from pipeline.terminal import consoles
from pipeline.terminal.comparison_table import print_comparison, short_names
from pipeline.terminal.published_table import (
    NOTHING_PUBLISHED,
    published_json,
    published_sequences_table,
)
from pipeline.terminal.tables import check_table_file, print_table, save_table
from pipeline.terminal.work_view import show_progress
from trainer.core.errors import UserError

if TYPE_CHECKING:
    from components.descriptor_evaluator.protocol.distances import Distance
    from components.descriptor_evaluator.statistics.compare import Comparison
    from pipeline.commands.descriptors.compare_options import Side


@click.command()
@click.argument("names", metavar="RUN_OR_MODEL...", nargs=-1, required=True)
@click.option("--data", metavar="DIR", help="Score all on this HPatches patch release.")
@click.option("--split", metavar="NAME", help="Only the test sequences of a split, e.g. a.")
@TASKS_OPTION
@click.option(
    "--distance",
    type=click.Choice(DISTANCES),
    help="Distance metric for --data [default: l2].",
)
@published_options(
    "Also show published matching mAP per image sequence; --table then writes that.",
    ", ".join(SHOWN),
)
@TRUST_OPTION
@json_option()
@TABLE_OPTION
def compare(
    names: tuple[str, ...],
    data: str | None,
    split: str | None,
    tasks_folder: str | None,
    distance: Distance | None,
    published: tuple[str, ...] | None,
    trusted: bool,
    **written: str | None,
) -> None:
    """Compare descriptors with the first one on the same units, paired over scenes.

    RUN_OR_MODEL is a work folder (its newest run; WORK@RUN for another one), a result of
    `hpatches evaluate --rows`, a SavedModel, a push destination (its newest model), a folder of
    descriptors (CSV), or the name of a handcrafted descriptor. Without --data all must be
    results on the same data. Precisions count ties against a descriptor, so that a collapsed one
    gains nothing. The smoothed handcrafted ones take the recipe that a run takes without
    validation data: blur 3 px, size 1/6 of the patch, no border.
    """
    if data is None and (split or tasks_folder or distance):
        raise click.UsageError(
            "--split, --tasks and --distance say how --data is scored; give --data too."
        )
    if len(names) < 2:
        raise click.UsageError("Give two descriptors or more, to compare with the first one.")
    json_file, table_file = written["json_file"], written["table_file"]
    if table_file is not None and len(names) > 2:
        raise click.UsageError("--table goes with two descriptors; `evaluate` has one for more.")
    check_writable("--json", json_file)
    check_table_file(table_file)

    sides = [compare_options.resolve(name, trusted) for name in names]
    with show_progress():
        if data is None:
            comparisons = [_of_results((sides[0], other)) for other in sides[1:]]
        else:
            comparisons = _on_data(sides, data, split, tasks_folder, distance or "l2")
    known = [item.sequence for item in comparisons[0].sequences]
    others = [] if published is None else published_on(known, published)
    if json_file is not None:
        told = [
            {"first": names[0], "second": second, **comparison.as_json()}
            for second, comparison in zip(names[1:], comparisons, strict=True)
        ]
        content = told[0] if len(told) == 1 else {"comparisons": told}
        beside = {"published": published_json(others)} if published is not None else {}
        write_json(json_file, {**content, **beside})
    console, (first, *seconds) = consoles.output(), short_names(names)
    for second, comparison in zip(seconds, comparisons, strict=True):
        table = print_comparison(console, comparison, (first, second))
    if others:
        shown = [result for result in others if published or result.method in SHOWN]
        table = published_sequences_table(_by_sequence(first, seconds, comparisons), shown)
        print_table(console, table)
    elif published is not None:
        console.print(NOTHING_PUBLISHED, soft_wrap=True)
    if table_file is not None:
        save_table(table_file, table)


def _by_sequence(
    first: str, seconds: Sequence[str], comparisons: Sequence[Comparison]
) -> dict[str, dict[str, float]]:
    """Returns matching mAP by descriptor and image sequence, the first descriptor's first."""
    means = {first: {item.sequence: item.first for item in comparisons[0].sequences}}
    for second, comparison in zip(seconds, comparisons, strict=True):
        means[second] = {item.sequence: item.second for item in comparison.sequences}
    return means


def _of_results(sides: tuple[Side, Side]) -> Comparison:
    """Compares two stored results.

    Raises:
        UserError: When one is no stored result or does not say of which data, or they are not
            of the same data, tasks and distance.
    """
    from components.descriptor_evaluator.statistics.compare import compare as compare_scores

    for side in sides:
        if not side.result:
            raise UserError(
                f"{side.name}: holds no scores; say with --data which patch release both are "
                f"scored on"
            )
    left, right = (result_files.read(side.result) for side in sides)
    for side, result in zip(sides, (left, right), strict=True):
        if not result.data_checksum:
            raise UserError(
                f"{files.join(side.result, result_files.ABOUT_FILE)}: does not say on which "
                f"patches {side.name} was scored, expected `data_checksum`; evaluate again, or "
                f"score both on one patch release with --data"
            )
    if left.tasks.checksum != right.tasks.checksum or left.data_checksum != right.data_checksum:
        raise UserError(
            f"{sides[0].name} and {sides[1].name} were scored on different data or tasks; score "
            f"both on one patch release with --data"
        )
    if left.distance != right.distance:
        raise UserError(
            f"{sides[0].name} was scored by the distance {left.distance} and {sides[1].name} by "
            f"{right.distance}, expected the same; score both on one patch release with --data"
        )
    names = (sides[0].name, sides[1].name)
    return compare_scores(
        left.scores,
        right.scores,
        names,
        problems=(left.problems, right.problems),
        notes=(
            *left.notes,
            *right.notes,
            *provenance.scored_differently(left.about, right.about, names),
        ),
    )


def _on_data(
    sides: Sequence[Side],
    data: str,
    split: str | None,
    tasks_folder: str | None,
    distance: Distance,
) -> list[Comparison]:
    """Scores all on a patch release and compares the first one with each other."""
    from components.descriptor_evaluator.scoring import evaluate
    from components.descriptor_evaluator.statistics import degeneracy
    from components.descriptor_evaluator.statistics.compare import compare as compare_scores

    describers = []
    for side in sides:
        if side.describer is None:
            raise UserError(
                f"{side.name}: is a stored result without its model, which cannot be scored on "
                f"{data}; give a model, or leave --data out"
            )
        describers.append(side.describer)
    options = evaluate.ReleaseOptions(split=split, tasks_folder=tasks_folder, distance=distance)
    (left, *others), tasks = evaluate.score_release(data, describers, options)
    return [
        compare_scores(
            left.rows,
            right.rows,
            (sides[0].name, side.name),
            problems=(
                degeneracy.problems(left.facts["degeneracy"]),
                degeneracy.problems(right.facts["degeneracy"]),
            ),
            notes=(*tasks.notes, *left.facts["notes"], *right.facts["notes"]),
        )
        for side, right in zip(sides[1:], others, strict=True)
    ]

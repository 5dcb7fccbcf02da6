"""`hpatches features`: photographs to described points, for COLMAP, hloc or own programs."""

from __future__ import annotations

import click

from components.matching.settings import FeatureSettings
from pipeline.commands.options import TRUST_OPTION, baseline_option, model_option
from pipeline.terminal import consoles
from pipeline.terminal.tables import print_remarks
from pipeline.terminal.work_view import show_progress


@click.command()
@click.argument("images", metavar="IMAGES")
@model_option("Describe with an exported model.")
@baseline_option("Describe with a handcrafted descriptor instead.")
@click.option(
    "--output",
    "outputs",
    metavar="FILE",
    required=True,
    multiple=True,
    help="New file: hloc's features (.h5), a COLMAP database (.db) or arrays (.npz); repeatable.",
)
@click.option(
    "--detector",
    type=click.Choice(["training", "sift"]),
    default="training",
    show_default=True,
    help="Find points as for training, or by OpenCV's SIFT.",
)
@click.option(
    "--points",
    type=click.IntRange(min=1),
    default=8192,
    show_default=True,
    help="Most points of each photograph; the strongest are taken.",
)
@click.option(
    "--max-side",
    type=click.IntRange(min=64),
    default=3200,
    show_default=True,
    help="Larger photographs are shrunk to so many pixels on the longer side; positions are told "
    "in pixels of the file.",
)
@click.option(
    "--skip-bad-images",
    "skip_bad",
    is_flag=True,
    help="Go on without images that cannot be used, and list them.",
)
@TRUST_OPTION
def features(
    images: str,
    model: str | None,
    baseline: str | None,
    outputs: tuple[str, ...],
    skip_bad: bool,
    trusted: bool,
    **rules: int | str,
) -> None:
    """Find and describe the points of photographs.

    IMAGES is a folder, with all folders below it, or a text file with one path a line. Pixels
    are those of the files as they are stored, whatever their EXIF orientation says.
    """
    if (model is None) == (baseline is None):
        raise click.UsageError("Give one of --model and --baseline.")
    if len(set(outputs)) < len(outputs):
        raise click.UsageError("Give each --output once.")
    from components.matching.features.describing import describe  # imports OpenCV

    with show_progress():
        done = describe(
            images,
            outputs,
            model=model,
            baseline=baseline,
            settings=FeatureSettings.model_validate(rules),
            skip_bad=skip_bad,
            trusted=trusted,
        )
    print_remarks(consoles.output(), [*done.notes, *(f"Skipped: {one}" for one in done.skipped)])
    click.echo(
        f"Wrote {done.points} points of {done.photographs} photographs with descriptors of "
        f"{done.dimension} numbers to {', '.join(outputs)}"
    )

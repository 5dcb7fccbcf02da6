"""`hpatches extract`: images to an HPatches patch release."""

from __future__ import annotations

from typing import Any

import click

from components.example_gen.registry import FORMATS
from pipeline.commands.options import config_name, set_option
from pipeline.config.tree import load_config
from pipeline.terminal.work_view import show_progress


@click.command()
@click.option(
    "--format",
    type=click.Choice(tuple(FORMATS)),
    required=True,
    help="What --input holds: image sequences with homographies, or photographs.",
)
@click.option("--input", "input_dir", metavar="DIR", required=True, help="Folder of the images.")
@click.option("--output", metavar="DIR", required=True, help="New folder for the patch release.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of every random choice.")
@click.option(
    "--config",
    "name_or_file",
    metavar="NAME_OR_FILE",
    help="Configuration whose `data` block says how patches are cut [default: like --format].",
)
@click.option(
    "--skip-bad-sequences", is_flag=True, help="Go on without sequences that cannot be used."
)
@set_option("data.max_points=500")
def extract(
    format: str,
    input_dir: str,
    output: str,
    seed: int | None,
    name_or_file: str | None,
    skip_bad_sequences: bool,
    overrides: tuple[str, ...],
) -> None:
    """Cut patches and write them as an HPatches patch release: 16 PNG strips per sequence."""
    options: dict[str, tuple[str, Any]] = {"data.format": ("--format", format)}
    if seed is not None:
        options["data.seed"] = ("--seed", seed)
    if skip_bad_sequences:
        options["data.skip_bad_sequences"] = ("--skip-bad-sequences", True)
    settings = load_config(config_name(name_or_file, format), overrides, options).data.settings()

    from components.example_gen.extract import extract as cut  # imports OpenCV and SciPy

    with show_progress():
        summary = cut(settings.format, input_dir, output, settings)
    for item in summary["skipped"]:
        click.secho(f"Left out: {item['name']}: {item['reason']}", fg="yellow", err=True)
    for remark in summary["remarks"]:
        click.secho(f"Data: {remark}", fg="yellow", err=True)
    click.echo(
        f"Wrote {len(summary['sequences'])} image sequences with {summary['points']} points "
        f"({summary['patches']} patches) to {output}"
    )

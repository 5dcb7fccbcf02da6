"""`hpatches describe`: patches to descriptors."""

from __future__ import annotations

import click

from pipeline.commands.options import model_option
from pipeline.terminal.work_view import show_progress


@click.command()
@model_option("Folder of an exported model.", required=True)
@click.option("--data", metavar="DIR", required=True, help="HPatches patch release.")
@click.option("--output", metavar="DIR", required=True, help="New folder for the descriptors.")
def describe(model: str, data: str, output: str) -> None:
    """Write descriptors as the HPatches benchmark's CSV tree, one row per patch."""
    from components.descriptor_evaluator.descriptors.saved_model import (
        describe_release,  # imports OpenCV
    )

    with show_progress():
        done = describe_release(model, data, output)
    click.echo(
        f"Wrote {done['patches']} descriptors of {done['dimension']} numbers "
        f"({done['sequences']} image sequences) to {done['output']}"
    )

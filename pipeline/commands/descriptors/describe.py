"""`hpatches describe`: patches to descriptors."""

from __future__ import annotations

import click

from components.descriptor_evaluator.descriptors.saved_model import describe_release
from pipeline.commands.options import TRUST_OPTION, model_option
from pipeline.terminal.work_view import show_progress


@click.command()
@model_option("Folder of an exported model.", required=True)
@click.option("--data", metavar="DIR", required=True, help="HPatches patch release.")
@click.option("--output", metavar="DIR", required=True, help="New folder for the descriptors.")
@TRUST_OPTION
def describe(model: str, data: str, output: str, trusted: bool) -> None:
    """Write descriptors as the HPatches benchmark's CSV tree, one row per patch."""
    with show_progress():
        done = describe_release(model, data, output, trusted)
    click.echo(
        f"Wrote {done['patches']} descriptors of {done['dimension']} numbers "
        f"({done['sequences']} image sequences) to {done['output']}"
    )

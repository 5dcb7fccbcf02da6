"""`hpatches fetch`: a published data set by its name."""

from __future__ import annotations

import click

from components.datasets.catalogue import Dataset, datasets
from pipeline.terminal.consoles import tell_warning
from pipeline.terminal.work_view import show_progress

_USE = {
    "strips": "hpatches run --config hpatches_a --data {folder}",
    "sequences": "hpatches run --format sequences --data {folder}",
    "photo_tour": "hpatches evaluate --task brown --baseline rootsift --data {folder}",
}


@click.command()
@click.argument("name", type=click.Choice(tuple(datasets())), metavar="NAME")
@click.option("--output", metavar="DIR", required=True, help="New folder for the data set.")
@click.option(
    "--archive",
    metavar="FILE",
    help="Unpack this archive, which was downloaded elsewhere, instead of downloading.",
)
def fetch(name: str, output: str, archive: str | None) -> None:
    """Download a published data set, unpack it and check what it holds.

    NAME is hpatches, hpatches-sequences, brown-liberty, brown-notredame or brown-yosemite. A
    download that broke off is gone on with by the same command.
    """
    from components.datasets.fetch import fetch as get

    dataset = datasets()[name]
    _announce(dataset, archive)
    with show_progress():
        fetched = get(dataset, output, archive)
    click.echo(f"{dataset.title}: {fetched.contents}, in {output}")
    if fetched.unchecked:
        tell_warning(
            f"No checksum of this archive is known; layout and counts are right, and its sha256 "
            f"is {fetched.unchecked} ({fetched.origin})."
        )
    click.echo(f"To be cited: {dataset.cite}")
    click.echo(f"Next: {_USE[dataset.layout].format(folder=output)}")


def _announce(dataset: Dataset, archive: str | None) -> None:
    size = next((home.about_gb for home in dataset.homes if home.about_gb), None)
    told = f"about {size} GB, and as much again to unpack" if size else "size unknown"
    if archive is None:
        click.echo(f"{dataset.title} ({told}) from {dataset.homes[0].url}", err=True)

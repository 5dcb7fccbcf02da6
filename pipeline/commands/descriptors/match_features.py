"""`hpatches match --features`: matches of many photographs, from a file of their features."""

from __future__ import annotations

import click

from pipeline.terminal.work_view import show_progress


def match_features(
    features: str,
    output: str,
    pairs_file: str | None,
    ratio: float | None,
    distance: float | None,
) -> None:
    """Matches photographs, writes the matches and tells how many there are."""
    from components.matching.features.pairs import match  # imports h5py

    with show_progress():
        done = match(features, output, pairs_file=pairs_file, ratio=ratio, distance=distance)
    limit = "" if done.rule.distance is None else f", distance at most {done.rule.distance:g}"
    click.echo(
        f"Wrote {done.matches} matches of {done.pairs} pairs of photographs (ratio at most "
        f"{done.rule.ratio:g}{limit}) to {output}"
    )

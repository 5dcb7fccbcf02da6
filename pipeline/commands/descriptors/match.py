"""`hpatches match`: two photographs to matches, a homography and a picture; or many to files."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import Any

import click
from click.core import ParameterSource

from components.core import files
from components.core.files import check_writable, write_json
from components.matching.settings import MatchSettings
from pipeline.commands.descriptors.match_features import match_features
from pipeline.commands.options import TRUST_OPTION, baseline_option, json_option, model_option
from pipeline.terminal import consoles
from pipeline.terminal.matches_table import print_matches
from pipeline.terminal.work_view import show_progress
from trainer.core.errors import UserError

_OF_FEATURES = ("features", "pairs_file", "distance", "ratio", "output")
PICTURES = ("png", "jpg", "jpeg", "svg", "pdf")


def _finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number.")
    return value


@click.command()
@click.argument("first", metavar="[A", required=False)
@click.argument("second", metavar="B]", required=False)
@click.option(
    "--features",
    metavar="FILE",
    help="Instead of A and B: match the photographs of a file that `hpatches features` wrote.",
)
@click.option(
    "--pairs",
    "pairs_file",
    metavar="FILE",
    help="With --features: two names a line [default: all pairs].",
)
@click.option(
    "--max-distance",
    "distance",
    type=click.FloatRange(0, min_open=True),
    help="With --features: largest distance of descriptors [default: the model's, else any].",
)
@model_option("Describe with an exported model.")
@baseline_option(
    "Describe with a handcrafted descriptor; with --model, both are drawn side by side."
)
@click.option(
    "--output",
    metavar="FILE",
    required=True,
    help=f"The picture to draw ({', '.join(PICTURES)}); with --features, hloc's new matches (.h5) "
    "or the COLMAP database (.db) to add matches to.",
)
@click.option(
    "--homography",
    metavar="FILE",
    help="True 3 x 3 homography from A to B: says which matches are right.",
)
@click.option(
    "--points",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Most points of each photograph; the strongest are taken.",
)
@click.option(
    "--ratio",
    type=click.FloatRange(0, 1, min_open=True),
    callback=_finite,
    help="Largest distance relative to that of the second nearest, from either side; 1 keeps all "
    "[default: 0.9; with --features the model's].",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, min_open=True),
    callback=_finite,
    default=3.0,
    show_default=True,
    help="Pixels that an inlier may be off the homography.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Of RANSAC.",
)
@click.option(
    "--max-side",
    type=click.IntRange(min=64),
    default=1600,
    show_default=True,
    help="Larger photographs are matched at so many pixels on the longer side; all lengths in "
    "pixels are then in those.",
)
@TRUST_OPTION
@json_option("matches and counts")
@click.pass_context
def match(
    context: click.Context, first: str | None, second: str | None, output: str, **options: Any
) -> None:
    """Match photographs A and B, and draw which points belong together; or match many.

    Matches are mutual nearest neighbours that pass the ratio test; inliers are those that
    agree with the homography which most agree with (RANSAC). At least one of --model and
    --baseline says what describes the points. With --features, photographs that have been
    described are matched, and their matches written for hloc or COLMAP.
    """
    of_features = {name: options.pop(name) for name in ("features", "pairs_file", "distance")}
    if of_features["features"] is not None:
        _refuse_others(context)
        match_features(**of_features, output=output, ratio=options["ratio"])
        return
    if first is None or second is None:
        raise click.UsageError("Give two photographs A and B, or --features.")
    if any(value is not None for value in of_features.values()):
        raise click.UsageError("--pairs and --max-distance go with --features.")
    if options["model"] is None and options["baseline"] is None:
        raise click.UsageError("Give --model, --baseline or both.")
    match_two(first, second, output, **options)


def match_two(
    first: str,
    second: str,
    output: str,
    *,
    homography: str | None,
    json_file: str | None,
    model: str | None,
    baseline: str | None,
    trusted: bool,
    **rules: Any,
) -> None:
    """Matches two photographs, draws the matches and tells how many there are."""
    kind = _kind_of(output)
    _check_places(
        read={"A": first, "B": second, "--homography": homography},
        written={"--output": output, "--json": json_file},
    )

    # They import OpenCV and SciPy.
    from components.matching import picture
    from components.matching.match import as_json, match_files

    with show_progress():
        result = match_files(
            first,
            second,
            model=model,
            baseline=baseline,
            true_homography=homography,
            settings=MatchSettings.model_validate(
                {name: value for name, value in rules.items() if value is not None}
            ),
            trusted=trusted,
        )
        content = picture.render(result, kind)
    files.write_bytes(output, content)
    if json_file is not None:
        write_json(json_file, as_json(result))
    print_matches(consoles.output(), result)
    click.echo(f"Drawn: {output}")


def _refuse_others(context: click.Context) -> None:
    """Refuses what belongs to two photographs.

    Raises:
        UsageError: With the option.
    """
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and option.name not in _OF_FEATURES:
            name = "A and B" if isinstance(option, click.Argument) else option.opts[0]
            raise click.UsageError(f"{name} and --features do not go together.")


def _kind_of(output: str) -> str:
    """Returns the kind of picture that a file name asks for."""
    kind = PurePosixPath(output).suffix.lower().removeprefix(".")
    if kind not in PICTURES:
        raise UserError(
            f"--output: {output} is no picture that can be drawn, expected a name that ends in "
            f"{', '.join(f'.{name}' for name in PICTURES)}"
        )
    return kind


def _check_places(read: dict[str, str | None], written: dict[str, str | None]) -> None:
    """Refuses before the work places that cannot be written, or that are used already.

    Raises:
        UserError: With the option.
    """
    taken = {files.normalise(path): name for name, path in read.items() if path is not None}
    for option, path in written.items():
        if path is None:
            continue
        place = files.normalise(path)
        if place in taken:
            raise UserError(
                f"{option}: {path} is given as {taken[place]} too and would be overwritten; "
                f"choose another name"
            )
        taken[place] = option
        check_writable(option, path)

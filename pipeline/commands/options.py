"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from components.example_gen.registry import FORMATS
from pipeline.config.tree import PipelineConfig, load_config

DISTANCES = ("l2", "l1")  # as `distances.Distance` of the evaluator
DEFAULT_CONFIG = "demo"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def config_options(command: _Command) -> _Command:
    """Adds the options that choose a configuration; see `resolve`."""
    for option in reversed(
        (
            click.option(
                "--config",
                "name_or_file",
                metavar="NAME_OR_FILE",
                help="Packaged configuration or YAML file [default: the one named like "
                "--format, else demo].",
            ),
            click.option(
                "--format",
                type=click.Choice(tuple(FORMATS)),
                help="What --data holds: an HPatches patch release, image sequences with "
                "homographies, or photographs.",
            ),
            click.option("--data", metavar="DIR", help="Folder of the data."),
            click.option("--work", metavar="DIR", help="Folder for everything a run writes."),
            click.option(
                "--skip-bad-sequences",
                is_flag=True,
                help="Go on without image sequences that cannot be used, and list them.",
            ),
            click.option(
                "--set",
                "overrides",
                metavar="KEY.PATH=VALUE",
                multiple=True,
                help="Set one value, e.g. training.stages.0.learning_rate=1e-3; repeatable.",
            ),
        )
    ):
        command = option(command)
    return command


def resolve(
    name_or_file: str | None,
    format: str | None,
    data: str | None,
    work: str | None,
    skip_bad_sequences: bool,
    overrides: tuple[str, ...],
) -> PipelineConfig:
    """Returns the configuration that the options ask for."""
    options: dict[str, tuple[str, Any]] = {}
    for key, option, value in (
        ("data.format", "--format", format),
        ("data.path", "--data", data),
        ("work_dir", "--work", work),
        ("data.skip_bad_sequences", "--skip-bad-sequences", skip_bad_sequences or None),
    ):
        if value is not None:
            options[key] = (option, value)
    return load_config(name_or_file or format or DEFAULT_CONFIG, overrides, options)

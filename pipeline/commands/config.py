"""`hpatches config`: looks at configurations."""

from __future__ import annotations

import click
import yaml

from pipeline.commands.options import DEFAULT_CONFIG, config_options, resolve
from pipeline.config import files
from pipeline.config.tree import ConfigError
from pipeline.terminal import consoles


@click.group("config")
def config_group() -> None:
    """Show or check a configuration."""


@config_group.command()
@config_options
def show(
    name_or_file: str | None,
    format: str | None,
    data: str | None,
    work: str | None,
    skip_bad_sequences: bool,
    overrides: tuple[str, ...],
) -> None:
    """Print the resolved configuration as YAML, every default filled in."""
    config = resolve(name_or_file, format, data, work, skip_bad_sequences, overrides)
    click.echo(
        yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        nl=False,
    )


@config_group.command()
@config_options
def check(
    name_or_file: str | None,
    format: str | None,
    data: str | None,
    work: str | None,
    skip_bad_sequences: bool,
    overrides: tuple[str, ...],
) -> None:
    """Say what is wrong with a configuration: one sentence per problem, exit 2."""
    try:
        resolve(name_or_file, format, data, work, skip_bad_sequences, overrides)
    except ConfigError as error:
        for problem in error.problems:
            consoles.tell_problem(problem)
        click.get_current_context().exit(2)
    name = name_or_file or format or DEFAULT_CONFIG
    packaged = " (packaged)" if name in files.packaged_names() else ""
    click.echo(f"{name}{packaged}: nothing wrong with it.")

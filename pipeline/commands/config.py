"""`hpatches config`: looks at configurations."""

from __future__ import annotations

from typing import Any

import click
import yaml

from pipeline.commands.options import Choice, config_options
from pipeline.config import files
from pipeline.config.tree import ConfigError, PipelineConfig
from pipeline.terminal import consoles

_COMMON = (
    "name", "work_dir", "format", "path", "split", "rule", "eval_share", "max_points", "seed",
    "stages", "max_steps", "gate", "tasks", "floors", "production", "mode", "destination",
)  # fmt: skip
"""Settings that runs commonly set, most common first."""


@click.group("config")
def config_group() -> None:
    """Show or check a configuration."""


@config_group.command()
@config_options
def show(choice: Choice) -> None:
    """Print the resolved configuration as YAML, every default filled in.

    In each block, what is not as usual comes first, then what runs commonly set.
    """
    config = choice.resolve()
    tree = _first_what_matters(
        config.model_dump(mode="json"), PipelineConfig.model_validate({}).model_dump(mode="json")
    )
    click.echo(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), nl=False)


@config_group.command()
@config_options
def check(choice: Choice) -> None:
    """Say what is wrong with a configuration: one sentence per problem, exit 2."""
    try:
        choice.resolve()
    except ConfigError as error:
        for problem in error.problems:
            consoles.tell_problem(problem)
        click.get_current_context().exit(2)
    packaged = " (packaged)" if choice.name in files.packaged_names() else ""
    click.echo(f"{choice.name}{packaged}: nothing wrong with it.")


def _first_what_matters(tree: dict[str, Any], defaults: Any) -> dict[str, Any]:
    """Puts the keys of each block in the order: not the default, commonly set, all others."""
    usual = defaults if isinstance(defaults, dict) else {}

    def rank(key: str) -> tuple[bool, int]:
        return tree[key] == usual.get(key), _COMMON.index(key) if key in _COMMON else len(_COMMON)

    return {
        key: _first_what_matters(tree[key], usual.get(key))
        if isinstance(tree[key], dict)
        else tree[key]
        for key in sorted(tree, key=rank)
    }

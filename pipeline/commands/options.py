"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from components.descriptor_evaluator.descriptors.handcrafted import BASELINES
from components.descriptor_evaluator.published.matching import check_methods
from components.example_gen.registry import FORMATS, STRIPS
from pipeline.config.files import packaged_names
from pipeline.config.tree import DEFAULT_WORK_DIR, PipelineConfig, load_config
from pipeline.runs import lookup

Option = Callable[[Any], Any]  # a decorator
DISTANCES = ("l2", "l1", "hamming")  # as `distances.Distance` of the evaluator
DEFAULT_CONFIG = "demo"
_OF_OTHER_FORMATS = STRIPS  # a plan for the data, and nothing that only strips have


def config_name(name_or_file: str | None, format: str | None) -> str:
    """Returns the configuration to take: as chosen, else by the data's format, else the demo's.

    Example:
        >>> config_name(None, "photos")
        'photos'
    """
    if name_or_file or format is None:
        return name_or_file or DEFAULT_CONFIG
    return format if format in packaged_names() else _OF_OTHER_FORMATS


def work_option(help: str) -> Option:
    """Returns `--work` of commands on earlier runs."""
    help += f" [default: {DEFAULT_WORK_DIR}, else demo, else the only one here]"
    return click.option("--work", metavar="DIR", callback=_found_work, help=help)


def _found_work(context: click.Context, _option: click.Parameter, chosen: str | None) -> str | None:
    if context.resilient_parsing:
        return chosen
    work = lookup.work_folder(chosen)
    if chosen is None and work != DEFAULT_WORK_DIR:
        click.echo(f"Work folder: {work}", err=True)
    return work


def model_option(help: str, required: bool = False, multiple: bool = False) -> Option:
    """Returns `--model`, or as the command's `models` several: SavedModels, or where they are."""
    help += " Of a work folder or push destination the newest pushed one."
    return click.option(
        "--model",
        "models" if multiple else "model",
        metavar="SAVEDMODEL",
        required=required,
        multiple=multiple,
        callback=_found_model,
        help=help,
    )


def _found_model(
    context: click.Context, option: click.Parameter, chosen: str | tuple[str, ...] | None
) -> str | tuple[str, ...] | None:
    if context.resilient_parsing or chosen is None:
        return chosen
    if isinstance(chosen, tuple):
        return tuple(str(_found_model(context, option, one)) for one in chosen)
    model = lookup.model(chosen)
    if model != chosen:
        click.echo(f"Model: {model}", err=True)
    return model


def set_option(example: str) -> Option:
    """Returns `--set`, the command's `overrides`."""
    help = f"Set one value, e.g. {example}; repeatable."
    return click.option("--set", "overrides", metavar="KEY.PATH=VALUE", multiple=True, help=help)


def json_option(what: str = "the numbers") -> Option:
    """Returns `--json`, the command's `json_file`."""
    return click.option("--json", "json_file", metavar="FILE", help=f"Also write {what} as JSON.")


TABLE_OPTION = click.option(
    "--table", "table_file", metavar="FILE", help="Also write the table as .csv, .md or .tex."
)


def baseline_option(help: str, multiple: bool = False) -> Option:
    """Returns `--baseline`."""
    choice = click.Choice(list(BASELINES))
    return click.option("--baseline", type=choice, help=help, multiple=multiple)


TRUST_OPTION = click.option(
    "--trust-model",
    "trusted",
    is_flag=True,
    help="Load a SavedModel whatever it does. It is a program: without this option one that could "
    "do more than compute, such as write files, is refused.",
)
TASKS_OPTION = click.option(
    "--tasks",
    "tasks_folder",
    metavar="DIR",
    help="Published task files of the split [default: tasks are drawn by the same rules].",
)


def published_options(help: str, default: str) -> Option:
    """Returns `--published` and `--published-method`, as the command's `published`.

    It gets the names of published descriptors, none of them for the default; or None, when
    nothing published is asked for.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_published(published: bool, published_methods: tuple[str, ...], **rest: Any) -> Any:
            asked = published or bool(published_methods)
            named = check_methods(published_methods) if asked else None
            return command(published=named, **rest)

        shown = click.option("--published", is_flag=True, help=help)
        methods = click.option(
            "--published-method",
            "published_methods",
            metavar="NAME",
            multiple=True,
            help=f"Of what is published this descriptor, e.g. SOSNet; repeatable "
            f"[default: {default}].",
        )
        return shown(methods(with_published))

    return decorate


@dataclass(frozen=True)
class Choice:
    """The configuration that a user chose with options.

    Attributes:
        name: Packaged configuration or YAML file.
        overrides: `key.path=value` texts.
        options: Values of options by key path, each with the option's name for messages.
    """

    name: str
    overrides: tuple[str, ...]
    options: dict[str, tuple[str, Any]]

    def resolve(self) -> PipelineConfig:
        """Returns the configuration.

        Raises:
            ConfigError: When something is wrong with it.
        """
        return load_config(self.name, self.overrides, self.options)


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that choose a configuration; the command gets a `Choice` first."""

    @functools.wraps(command)
    def with_choice(
        name_or_file: str | None,
        format: str | None,
        data: str | None,
        work: str | None,
        skip_bad_sequences: bool,
        overrides: tuple[str, ...],
        **others: Any,
    ) -> Any:
        given = {
            "data.format": ("--format", format),
            "data.path": ("--data", data),
            "work_dir": ("--work", work),
            "data.skip_bad_sequences": ("--skip-bad-sequences", skip_bad_sequences or None),
        }
        options = {key: option for key, option in given.items() if option[1] is not None}
        choice = Choice(config_name(name_or_file, format), overrides, options)
        return command(choice, **others)

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
            set_option("training.stages.0.learning_rate=1e-3"),
        )
    ):
        with_choice = option(with_choice)
    return with_choice

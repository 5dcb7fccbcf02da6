"""One tree that holds every setting of the pipeline.

Each part's settings sit beside the code they configure; this module only joins them, and
`load_config` fills the tree from a packaged configuration or a YAML file plus overrides.
No TensorFlow here: `hpatches config show` and `--help` must answer at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field, ValidationError, model_validator

from components.descriptor_evaluator.settings import EvaluationSettings
from components.example_gen.registry import STRIPS
from components.example_gen.settings import DataSettings
from pipeline.config import files, problems
from pipeline.config.layers import Layer, Override, merge
from pipeline.config.platform import PlatformSettings
from pipeline.config.problems import ConfigError
from trainer.core.config import TrainerConfig
from trainer.core.settings import Settings

__all__ = ["ConfigError", "DataConfig", "PipelineConfig", "PushSettings", "load_config"]

DEFAULT_WORK_DIR = "work"


class DataConfig(DataSettings):
    """What the pipeline reads: how (the inherited settings) and where.

    Attributes:
        path: Folder of the data (local or `gs://`), or None for the photographs that come
            with scikit-image and scikit-learn (format `photos` only).
        pattern: File pattern below `path` for data that comes in spans and versions, in
            TFX's notation, e.g. `span-{SPAN}/v{VERSION}/*/*`; the newest is taken.
    """

    path: str | None = None
    pattern: str | None = None

    def settings(self) -> DataSettings:
        """Returns the settings without the place, as the components take them."""
        return DataSettings.model_validate(self.model_dump(include=set(DataSettings.model_fields)))


class PushSettings(Settings):
    """Where a blessed model goes.

    Attributes:
        destination: Folder (local or `gs://`) that receives a numbered folder per pushed
            model, or None for `serving` in the work folder.
    """

    destination: str | None = None


class PipelineConfig(Settings):
    """Everything a run depends on.

    Attributes:
        name: Pipeline name; runs of one name in one work folder share their cache.
        work_dir: Folder for artifacts, metadata, logs and the lock.
        data: Data folder, format, split and how patches are cut.
        training: Model, loss, stages and budget.
        evaluation: Tasks, intervals and the gate.
        push: Destination of blessed models.
        beam: Beam pipeline options, as on Beam's own command line; none means one process.
        warm_start: Whether training starts from the model in production.
        platform: Image, machines and training jobs of compiled pipelines.
    """

    name: str = Field("hpatches", pattern=r"^[a-z0-9][a-z0-9-]{0,127}$")
    work_dir: str = Field(DEFAULT_WORK_DIR, min_length=1)
    data: DataConfig = DataConfig()
    training: TrainerConfig = TrainerConfig()
    evaluation: EvaluationSettings = EvaluationSettings()
    push: PushSettings = PushSettings()
    beam: tuple[str, ...] = ()
    warm_start: bool = False
    platform: PlatformSettings = PlatformSettings()

    @model_validator(mode="after")
    def _tasks_of_a_release(self) -> PipelineConfig:
        if self.evaluation.official_tasks is not None and self.data.format != STRIPS:
            raise ValueError(
                f"evaluation.official_tasks is set, but data.format is {self.data.format!r}; "
                "published tasks name the patches of the patch release (format 'strips')"
            )
        return self

    @model_validator(mode="after")
    def _one_split(self) -> PipelineConfig:
        split, tasks = self.data.split, self.evaluation.official_split
        if split.rule == "official" and tasks not in (None, split.name):
            raise ValueError(
                f"evaluation.official_split is {tasks!r}, but data.split.name is {split.name!r}; "
                "leave evaluation.official_split out to judge by the tasks of the data's split"
            )
        return self

    @property
    def evaluation_settings(self) -> EvaluationSettings:
        """The settings of the evaluation, with the split whose published tasks are meant."""
        split = self.evaluation.official_split or self.data.split.name or "a"
        return self.evaluation.model_copy(update={"official_split": split})

    @property
    def push_destination(self) -> str:
        """Where models are pushed: `push.destination`, or `serving` in the work folder."""
        return self.push.destination or f"{self.work_dir.rstrip('/')}/serving"


def load_config(
    name_or_file: str = "demo",
    overrides: Iterable[str] = (),
    options: Mapping[str, tuple[str, Any]] | None = None,
) -> PipelineConfig:
    """Reads a configuration.

    Args:
        name_or_file: Name of a packaged configuration or path of a YAML file, which may
            build on another one with `base: NAME_OR_FILE`.
        overrides: `key.path=value` texts, e.g. `training.seed=2`; later ones win.
        options: Values of command line options by key path, each with the option's name
            for messages, e.g. `{"data.path": ("--data", "photos")}`; they win over all.

    Raises:
        ConfigError: With one sentence per problem: where, which key, what was found and
            what was expected.

    Example:
        >>> load_config("demo", ["warm_start=true"]).warm_start
        True
    """
    layers = files.read_layers(name_or_file)
    config = _validate(merge(layers), layers)
    changes = [files.parse_override(text) for text in overrides]
    changes += [
        Override(origin, tuple(path.split(".")), value)
        for path, (origin, value) in (options or {}).items()
    ]
    if not changes:
        return config
    # Overrides meet the tree with all defaults filled in, so that `stages.0` exists.
    tree = config.model_dump(mode="json")
    for change in changes:
        files.apply_override(tree, change, PipelineConfig)
    return _validate(tree, layers, changes)


def _validate(
    tree: dict[str, Any],
    layers: Iterable[Layer],
    overrides: Iterable[Override] = (),
) -> PipelineConfig:
    """Turns a plain tree into the typed one; strictly, so that "3" and true are no integers."""
    try:
        return PipelineConfig.model_validate_json(json.dumps(tree, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(
            problems.sentences(error, tree, PipelineConfig, tuple(layers), tuple(overrides))
        ) from None

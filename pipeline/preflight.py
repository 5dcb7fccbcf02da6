"""Finds what cannot work before anything slow starts.

What a run would otherwise find in its third minute or its third hour: a folder that is laid
out wrong, a split that names what is not there, a batch larger than the data, task files of
other data, models that cannot be put where they should go. It asks the same functions as the
components, which look again, and closer. No TensorFlow is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.core.names import RETRIEVAL
from components.descriptor_evaluator.descriptors import csv_tree
from components.descriptor_evaluator.protocol import tasks
from components.descriptor_evaluator.settings import MIN_SCENES
from components.example_gen import splits
from components.example_gen.formats import reading
from pipeline import gate_slices
from pipeline.config.tree import PipelineConfig
from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError
from trainer.core.variants import EVAL, TRAIN
from trainer.curriculum import auto_plan
from trainer.model.names import SAVED_MODEL_FILE

if TYPE_CHECKING:
    from components.example_gen.formats.base import SequenceInput

_SPLIT_NAMES = (TRAIN, EVAL)


def check_data(config: PipelineConfig, folder: str) -> None:
    """Checks the layout of the data, its split, the batches, task files and references.

    Data that would take long to look at is left to ExampleGen: remote data, data in spans,
    and data whose bad sequences are skipped, which have to be read to be found.

    Raises:
        UserError: When the data cannot be used, or not with this configuration.
    """
    # Imported here: they load OpenCV and SciPy, for which no `--help` should wait.

    settings = config.data.settings()
    lists = splits.load_split_lists(settings.split)
    _check_references(config)
    if "://" in folder or config.data.pattern is not None or settings.skip_bad_sequences:
        return
    inputs, _ = reading.list_sequences(settings.format, folder, settings)
    assigned = splits.assign_splits(inputs, settings, lists)
    train, test = (
        [item for item in inputs if assigned.get(item.name) == name] for name in _SPLIT_NAMES
    )
    most: int | None = None
    count = reading.get(settings.format).count
    if count is not None:
        counts = {item.name: count(item) for item in inputs}
        _check_batches(config.training, train, counts)
        _check_tasks(config, {item.name: counts[item.name] for item in test})
        _check_descriptors(config, {item.name: counts[item.name] for item in test})
        most = sum(counts[item.name] for item in test)
    elif settings.max_points is not None:
        _check_batches(config.training, train, dict.fromkeys(assigned, settings.max_points))
        most = settings.max_points * len(test)
    _check_gate(config, len({item.scene for item in test}))
    _check_lower_bound(config, len({item.scene for item in test}))
    gate_slices.check(config.evaluation, {item.kind for item in test}, most)


def _check_references(config: PipelineConfig) -> None:
    """Looks whether local descriptors of the user's own are there at all.

    Raises:
        UserError: When one is not.
    """
    for name, reference in config.evaluation.references.items():
        place = reference.model or str(reference.descriptors)
        if "://" in place:
            continue
        key = f"evaluation.references.{name}"
        if reference.model and not Path(place, SAVED_MODEL_FILE).exists():
            raise UserError(f"{key}: {place} holds no saved_model.pb, expected a SavedModel")
        if reference.descriptors and not any(Path(place).glob("*/ref.csv")):
            raise UserError(
                f"{key}: {place} holds no descriptors, expected <sequence>/<variant>.csv"
            )


def _check_descriptors(config: PipelineConfig, counts: Mapping[str, int]) -> None:
    """Reads local descriptors of the held-out sequences before the training that they judge.

    Raises:
        UserError: When one is missing, damaged, or of another size than the data.
    """
    for name, reference in config.evaluation.references.items():
        if reference.descriptors is None or "://" in reference.descriptors:
            continue
        try:
            csv_tree.check_tree(reference.descriptors, counts)
        except UserError as error:
            raise UserError(f"evaluation.references.{name}: {error}") from error


def _check_batches(
    training: TrainerConfig, items: Sequence[SequenceInput], most: Mapping[str, int]
) -> None:
    """Refuses an S above what the training split can offer at most, or too few for any S."""
    largest: dict[str, int] = {}
    for item in items:
        largest[item.scene] = max(largest.get(item.scene, 0), most[item.name])
    limit = sum(largest.values())
    if training.stages == "auto":
        auto_plan.check_size(limit)
        return
    for number, stage in enumerate(training.stages):
        if stage.points_per_batch > limit:
            raise UserError(
                f"training.stages.{number}.points_per_batch: found {stage.points_per_batch}, "
                f"expected at most {limit}, the points that the training scenes "
                f"({len(largest)}) can offer, as a batch holds one image sequence of each; lower "
                "it or add data"
            )


def _check_gate(config: PipelineConfig, scenes: int) -> None:
    """Refuses a gate that could bless no model at all, however good."""
    evaluation = config.evaluation
    if scenes > 1 or evaluation.official_tasks is not None:
        return
    gate = evaluation.gate
    asked = {floor.task: "floors" for floor in gate.floors}
    asked |= dict.fromkeys(gate.production.tasks, "production.tasks")
    asked |= dict.fromkeys(gate.baseline.tasks_used if gate.baseline else (), "baseline.tasks")
    if RETRIEVAL in asked:
        raise UserError(
            f"evaluation.gate.{asked['retrieval']}: asks for retrieval, whose distractors come "
            "from other scenes, but the split holds out 1 scene, expected at least 2; raise "
            "data.split.eval_share, add data, or judge by matching alone (evaluation.tasks and "
            "the gate's tasks)"
        )


def _check_lower_bound(config: PipelineConfig, scenes: int) -> None:
    """Refuses a comparison with production that would refuse every new model.

    The first model has nothing to be compared with, so it may come.
    """
    rule, destination = config.evaluation.gate.production, config.push_destination
    if rule.mode != "lower_bound" or scenes >= MIN_SCENES or "://" in destination:
        return
    if any(Path(destination).expanduser().glob(f"[0-9]*/{SAVED_MODEL_FILE}")):
        raise UserError(
            f"evaluation.gate.production.mode: is lower_bound, which needs {MIN_SCENES} "
            f"held-out scenes to compare a model with the one in production ({destination}), but "
            f"the split holds out {scenes}; set it to point, raise data.split.eval_share or add "
            f"data"
        )


def _check_tasks(config: PipelineConfig, counts: Mapping[str, int]) -> None:
    """Reads published task files once before the training that they are to judge."""
    evaluation = config.evaluation_settings
    if evaluation.official_tasks is not None:
        tasks.load_official(
            evaluation.official_tasks, str(evaluation.official_split), counts, evaluation.tasks
        )

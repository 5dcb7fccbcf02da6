"""From examples and models to unit scores: what is described, scored, and kept.

The cost is in describing patches; everything that follows from content that was seen before
comes from `scores_cache`.
"""

from __future__ import annotations

import contextlib
import logging
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import apache_beam as beam
import numpy as np

from components.core.user_errors import find_user_error
from components.descriptor_evaluator.descriptors import binary, csv_tree, handcrafted, saved_model
from components.descriptor_evaluator.descriptors.describer import (
    Describer,
    ModelError,
    is_machinery,
    machinery_errors,
    reference_error,
)
from components.descriptor_evaluator.descriptors.store import (
    DescribeSequence,
    ReferenceContrast,
    check_dimensions,
    open_described,
    read_array,
)
from components.descriptor_evaluator.protocol import tasks as task_sources
from components.descriptor_evaluator.protocol.task_tables import Tasks
from components.descriptor_evaluator.report_data import exhibits
from components.descriptor_evaluator.scoring import provenance, recipes
from components.descriptor_evaluator.scoring.beam_scoring import score_in_beam
from components.descriptor_evaluator.scoring.evaluation_context import (
    Candidate,
    EvaluationContext,
    data_checksum,
)
from components.descriptor_evaluator.scoring.scores_cache import Scored
from components.descriptor_evaluator.statistics import degeneracy
from trainer.core.errors import UserError
from trainer.core.variants import EVAL
from trainer.data.manifest import SequenceEntry
from trainer.model import export

# What is shown of a model that is judged is more than what is shown of one beside it; entries
# of the same model in both roles must not stand for each other.
_JUDGED: dict[str, Any] = {"shown": "all"}
_BESIDE: dict[str, Any] = {"shown": "curves"}

_log = logging.getLogger(__name__)
_IN_BEAM = re.compile(r"^(.+) \[while running ", re.MULTILINE)  # the sentence in Beam's account


class RunError(RuntimeError):
    """The machinery failed (a full disk, a lost worker): no finding about the model."""


def make_tasks(context: EvaluationContext) -> Tasks:
    """Reads the official tasks or draws tasks from the evaluation split.

    Raises:
        UserError: When official task files do not belong to the data.
    """
    entries, settings = context.entries(EVAL), context.settings
    if settings.official_tasks:
        return task_sources.load_official(
            settings.official_tasks,
            settings.official_split or "a",
            {entry.name: entry.count for entry in entries},
            which=settings.tasks,
            scenes={entry.name: entry.scene for entry in entries},
        )
    contrast = _reference_contrast(context)
    infos = [
        task_sources.SequenceInfo(
            entry.name, entry.scene, entry.kind, entry.count, contrast[entry.name]
        )
        for entry in entries
    ]
    return task_sources.draw(infos, settings.drawing)


def score_all(
    context: EvaluationContext, tasks: Tasks, models: Sequence[Candidate], baselines: Sequence[str]
) -> dict[str, Scored]:
    """Scores models, handcrafted descriptors and references on the evaluation split, by name.

    Raises:
        ModelError: When a model cannot be scored.
        UserError: When a reference cannot be used.
        RunError: When the machinery failed.
    """
    wanted: dict[str, tuple[Describer, str]] = {}
    for model in models:
        key = _key(context, tasks, model.checksum, _JUDGED)
        wanted[model.name] = (
            Describer(model.name, model=model.path, trusted=context.settings.trust_models),
            key,
        )
    for name in baselines:
        describer, content = _baseline(context, name)
        wanted[name] = describer, _key(context, tasks, content, dict(describer.recipe) | _BESIDE)
    results = {name: _kept(context, key) for name, (_, key) in wanted.items()}
    missing = [describer for name, (describer, _) in wanted.items() if results[name] is None]
    if missing:
        entries, folder = context.entries(EVAL), posixpath.join(context.folder, "descriptors")
        _run(context, entries, DescribeSequence(context.examples, missing, folder, len(entries)))
    for describer in missing:
        scored = _score(context, tasks, describer, curves_only=describer.name in baselines)
        context.cache.put(wanted[describer.name][1], _worth_keeping(scored))
        results[describer.name] = scored
    return {name: scored for name, scored in results.items() if scored is not None}


def about(context: EvaluationContext, candidate: Candidate, scored: Scored) -> dict[str, Any]:
    """Returns what a candidate's result is about, as `result_files` keeps it; JSON."""
    return {
        "data_checksum": data_checksum(context.entries(EVAL)),
        "scored": {"model": candidate.path, "checksum": candidate.checksum},
        "distance": context.settings.distance,
        "degeneracy": scored.facts["degeneracy"],
        "settings": context.settings.model_dump(mode="json"),
        **provenance.stamp(),
        "code_fingerprint": context.code_fingerprint,
    }


def known_scores(context: EvaluationContext, tasks: Tasks, checksum: str) -> Scored | None:
    """Returns what an earlier run made of a model on the same data and tasks, if it is kept."""
    return context.cache.get(_key(context, tasks, checksum, _JUDGED))


def score_earlier(context: EvaluationContext, tasks: Tasks, model: Candidate) -> Scored | None:
    """Scores a model that was pushed earlier; None when it cannot be described or scored.

    Raises:
        RunError: When the machinery failed.
    """
    try:
        return score_all(context, tasks, [model], ())[model.name]
    except ModelError as error:
        _log.warning("%s", error)
        return None


def _key(
    context: EvaluationContext, tasks: Tasks, descriptor: str, parameters: dict[str, Any]
) -> str:
    settings = context.settings
    wanted = parameters | {"tasks": sorted(settings.tasks), "distance": settings.distance}
    return context.key(descriptor, wanted, context.entries(EVAL), tasks.checksum)


def _kept(context: EvaluationContext, key: str) -> Scored | None:
    """Returns what is kept of a descriptor, if it holds all that is wanted now."""
    scored = context.cache.get(key)
    if scored is None or (context.settings.exhibits and exhibits.FACT not in scored.facts):
        return None
    return scored


def _worth_keeping(scored: Scored) -> Scored:
    """Leaves out exhibits that a failing machine has thinned: the next run makes them again."""
    if not scored.facts.get(exhibits.FACT, {}).get(exhibits.TRANSIENT):
        return scored
    facts = {name: fact for name, fact in scored.facts.items() if name != exhibits.FACT}
    return Scored(scored.rows, facts)


def _baseline(context: EvaluationContext, name: str) -> tuple[Describer, str]:
    """Returns what describes as a baseline does, and what its content is known by."""
    reference = context.settings.references.get(name)
    if reference is None:
        recipe: tuple[tuple[str, float], ...] = ()
        if handcrafted.get(name).tuned:
            recipe = tuple(asdict(recipes.sift_recipe(context, name)).items())
        return Describer(name, baseline=name, recipe=recipe, judged=False), name
    try:
        if reference.model:
            saved_model.check_folder(reference.model)
            checksum = export.model_checksum(reference.model)
            return Describer(
                name, model=reference.model, judged=False, trusted=context.settings.trust_models
            ), checksum
        folder = str(reference.descriptors)
        names = [entry.name for entry in context.entries(EVAL)]
        checksum = csv_tree.tree_checksum(folder, names)
    except UserError as error:
        raise reference_error(name, error) from error
    return Describer(name, descriptors=folder, judged=False), checksum


def _reference_contrast(context: EvaluationContext) -> dict[str, np.ndarray]:
    """Returns the contrast of the reference patches, float32 [N] by image sequence."""
    entries = context.entries(EVAL)
    key = context.key("contrast", {}, entries)
    known = context.cache.get(key)
    if known is None:
        folder = posixpath.join(context.folder, "contrast")
        _run(context, entries, ReferenceContrast(context.examples, folder, len(entries)))
        contrasts = {
            entry.name: read_array(posixpath.join(folder, f"{entry.name}.npy")) for entry in entries
        }
        known = Scored((), {name: values.tolist() for name, values in contrasts.items()})
        context.cache.put(key, known)
    return {name: np.array(values, np.float32) for name, values in known.facts.items()}


def _run(context: EvaluationContext, entries: Sequence[SequenceEntry], work: beam.DoFn) -> None:
    """Runs a step over image sequences in Beam."""
    try:
        with context.make_pipeline() as pipeline:
            _ = (
                pipeline
                | "Sequences" >> beam.Create(list(entries))
                | "Spread" >> beam.Reshuffle()
                | type(work).__name__ >> beam.ParDo(work)
            )
    except Exception as error:
        user_error = find_user_error(error)
        if user_error is not None:
            raise user_error from error
        raise RunError(f"describing the held-out patches failed: {error}") from error


def _score(
    context: EvaluationContext, tasks: Tasks, describer: Describer, curves_only: bool
) -> Scored:
    """Scores what was described, and chooses what a report shows of it.

    Raises:
        ModelError: When it could not be described or scored.
        UserError: When it is a reference that cannot be scored.
    """
    name = describer.name
    settings, reference = context.settings, name in context.settings.references
    folder = posixpath.join(context.folder, "descriptors")
    descriptors = open_described(folder, name, context.entries(EVAL))
    if reference:
        check_dimensions(name, descriptors)
    with _failing_as_model(name, reference):
        report = degeneracy.measure(descriptors)
        rows = score_in_beam(
            descriptors,
            tasks,
            settings.tasks,
            settings.distance,
            make_pipeline=context.make_pipeline,
            folder=descriptors.folder,
        )
    facts: dict[str, Any] = {"degeneracy": report}
    if describer.descriptors:
        facts["notes"] = binary.packed_notes(descriptors, name)
    if describer.recipe:
        facts[recipes.FACT] = dict(describer.recipe)
    if settings.exhibits:
        facts[exhibits.FACT] = exhibits.choose(
            descriptors, tasks, rows, curves_only, settings.distance
        )
    return Scored(rows, facts)


@contextlib.contextmanager
def _failing_as_model(name: str, reference: bool = False) -> Iterator[None]:
    """Makes what fails the model's, the user's (of a `reference`) or the machine's."""
    try:
        yield
    except machinery_errors():
        raise
    except Exception as error:
        user_error = find_user_error(error)
        if user_error is not None:
            raise user_error from error
        if is_machinery(error):
            raise RunError(f"scoring {name} failed: {error}") from error
        _log.exception("scoring %s failed", name)
        told = _IN_BEAM.findall(str(error)) or [str(error)]
        if reference:
            raise reference_error(name, f"{type(error).__name__}: {told[-1]}") from error
        raise ModelError(
            f"Scoring the {name} model failed ({type(error).__name__}: {told[-1]})."
        ) from error

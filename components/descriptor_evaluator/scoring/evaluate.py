"""Scoring descriptors on a patch release: `hpatches evaluate` and `compare --data`."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from components.core import files
from components.core.names import INTER, INTRA, MATCHING, TASK_NAMES
from components.descriptor_evaluator.descriptors import (
    binary,
    csv_tree,
    handcrafted,
    identity_leaks,
    saved_model,
    sift,
)
from components.descriptor_evaluator.descriptors.describer import Describer
from components.descriptor_evaluator.protocol import tasks as task_sources
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.scores import MAIN_METRIC
from components.descriptor_evaluator.protocol.task_tables import Tasks
from components.descriptor_evaluator.protocol.tasks import SequenceInfo, TaskSettings
from components.descriptor_evaluator.scoring import provenance, release, result_files, summary
from components.descriptor_evaluator.scoring.score import score
from components.descriptor_evaluator.scoring.scores_cache import Scored
from components.descriptor_evaluator.statistics import degeneracy
from components.descriptor_evaluator.statistics.mean_intervals import mean_intervals
from components.descriptor_evaluator.statistics.mean_intervals import number as json_number
from components.descriptor_evaluator.statistics.score_table import ScoreTable
from trainer.core import progress
from trainer.core.errors import UserError
from trainer.core.variants import NOISES, VARIANTS


@dataclass(frozen=True)
class ReleaseOptions:
    """What of a patch release is scored, and how.

    Attributes:
        split: Score the test list of this split; by default all image sequences.
        splits_file: Splits of the shape of HPatches' `splits.json`; by default the
            official ones.
        tasks_folder: Published task files of `split` (it need not be given when the folder
            holds those of one split); by default tasks are drawn.
        which: Tasks to score.
        distance: Distance metric.
    """

    split: str | None = None
    splits_file: str | None = None
    tasks_folder: str | None = None
    which: Sequence[str] = TASK_NAMES
    distance: Distance = "l2"


def score_release(
    data: str, describers: Sequence[Describer], options: ReleaseOptions
) -> tuple[list[Scored], Tasks]:
    """Scores descriptors on the same tasks of a patch release.

    Args:
        data: Patch release; only names and numbers of patches are needed for a CSV tree.
        describers: Descriptors to score, one after the other: only the descriptors of one are in
            memory at a time.
        options: Part of the release that is scored, and how.

    Returns:
        The scores of each describer (with the facts `degeneracy` and `notes`), and what was
        compared.

    Raises:
        UserError: When anything that was given cannot be used.
    """
    counts = release.counts_of_release(data)
    names = release.choose_sequences(list(counts), options.split, options.splits_file, data)
    drawn = options.tasks_folder is None and set(options.which) != {MATCHING}
    infos = release.describe_sequences(data, names, with_contrast=drawn)
    tasks = _tasks(infos, options)
    results = []
    for describer in describers:
        descriptors = _describe(data, infos, describer)
        notes, stored = recipe_notes(describer), describer.descriptors
        name = stored or describer.model or describer.baseline
        identity_leaks.refuse_order(descriptors, {info.name: info.scene for info in infos}, name)
        if options.distance == "hamming":
            descriptors = binary.to_bits(descriptors, name, packed=bool(stored))
        elif stored:
            notes += binary.packed_notes(descriptors, stored)
        scores = score(descriptors, tasks, options.which, options.distance)
        facts = {"degeneracy": degeneracy.measure(descriptors), "notes": notes}
        results.append(Scored(tuple(scores), facts))
    return results, tasks


def evaluate_release(
    data: str,
    describers: Sequence[Describer],
    options: ReleaseOptions | None = None,
    *,
    rows_folder: str | None = None,
) -> list[dict[str, Any]]:
    """Scores models, stored descriptors or baselines on the same tasks of a patch release.

    The new folder `rows_folder`, if given, gets the scores of all units of a single describer
    (`result_files`).

    Returns:
        Of each describer `summary.summarise`'s result, `intervals` of its mAP
        (`mean_intervals`), `by_sequence` (matching mAP by image sequence and noise level),
        `data` (what was scored and by which recipe, if a run would choose one, how the tasks
        came about, the degeneracy measures, notes) and `versions`; all of it JSON. An asked
        task that the data does not allow is None, and a note says why.

    Raises:
        UserError: When anything that was given cannot be used.
    """
    options = options or ReleaseOptions()
    if rows_folder is not None:
        files.check_new_folder(rows_folder)
    results, tasks = score_release(data, describers, options)
    if rows_folder is not None:
        (scored,), (describer,) = results, describers
        about = {
            "release": data,
            "scored": _subject(describer),
            "distance": options.distance,
            "degeneracy": scored.facts["degeneracy"],
            "notes": scored.facts["notes"],
            "data_checksum": data_checksum(data, tasks.names),
            **provenance.stamp(),
        }
        result_files.write_new(rows_folder, scored, tasks, about)
    return [
        _result(data, describer, scored, tasks, options)
        for describer, scored in zip(describers, results, strict=True)
    ]


def _result(
    data: str, describer: Describer, scored: Scored, tasks: Tasks, options: ReleaseOptions
) -> dict[str, Any]:
    """Returns what `evaluate_release` returns of one describer."""
    report, notes = scored.facts["degeneracy"], scored.facts["notes"]
    means = summary.summarise(scored.rows)
    return {
        **{task: means.get(task) for task in TASK_NAMES if task in options.which},
        "intervals": mean_intervals(ScoreTable(scored.rows)),
        "by_sequence": _by_sequence(scored),
        "data": {
            "release": data,
            "split": options.split,
            "scored": _subject(describer),
            "distance": options.distance,
            "sequences": list(tasks.names),
            "scenes": len(set(tasks.scenes)),
            "points": int(sum(tasks.counts)),
            "tasks": _task_facts(tasks),
            "degeneracy": report | {"thresholds": asdict(degeneracy.LIMITS)},
            "notes": [*tasks.notes, *notes, *degeneracy.problems(report)],
        },
        "versions": provenance.versions(),
    }


def _by_sequence(scored: Scored) -> dict[str, dict[str, float | None]]:
    """Returns matching mAP by image sequence and noise level."""
    values: dict[str, dict[str, list[float]]] = {}
    for row in scored.rows:
        if row.task == MATCHING:
            by_noise = values.setdefault(row.sequence, {noise: [] for noise in NOISES})
            by_noise[row.noise].append(row.metrics.get(MAIN_METRIC, math.nan))
    return {
        name: {noise: json_number(float(np.mean(found))) for noise, found in by_noise.items()}
        for name, by_noise in sorted(values.items())
    }


def recipe_notes(describer: Describer) -> list[str]:
    """Says of a tuned baseline, whose recipe a run chooses on data, which one was taken."""
    name = describer.baseline
    if not name or not handcrafted.get(name).tuned:
        return []

    how = sift.in_words(sift.SMOOTHED)
    return [f"{name}: {how}; `hpatches run` chooses them on validation sequences"]


def data_checksum(data: str, names: Sequence[str]) -> str:
    """sha256 over name, variant and PNG bytes of the strips that are there.

    Raises:
        UserError: When a strip cannot be read.
    """
    digest = hashlib.sha256()
    for number, name in enumerate(sorted(names)):
        for variant in VARIANTS:
            path = files.join(data, name, f"{variant}.png")
            if files.exists(path):
                content = hashlib.sha256(files.read_bytes(path)).hexdigest()
                digest.update(f"{name}/{variant}/{content}\n".encode())
        progress.report("reading what was scored", number + 1, len(names), name)
    return digest.hexdigest()


def _subject(describer: Describer) -> dict[str, Any]:
    """Returns what was scored; JSON."""
    subject: dict[str, Any] = {
        key: getattr(describer, key) or None for key in ("model", "descriptors", "baseline")
    }
    if describer.baseline and handcrafted.get(describer.baseline).tuned:
        subject["recipe"] = asdict(sift.SMOOTHED)
    return subject


def _tasks(infos: Sequence[SequenceInfo], options: ReleaseOptions) -> Tasks:
    if set(options.which) == {MATCHING}:
        return task_sources.matching_only(infos)
    folder = options.tasks_folder
    if folder is None:
        return task_sources.draw(infos, TaskSettings())
    split = options.split or _only_split(folder)
    counts = {info.name: info.count for info in infos}
    scenes = {info.name: info.scene for info in infos}
    return task_sources.load_official(folder, split, counts, options.which, scenes)


def _only_split(folder: str) -> str:
    """Returns the split whose task files a folder holds."""
    names = [name for name in files.list_folder(folder) if name.endswith(".csv")]
    splits = sorted({name[:-4].partition("_split-")[2] for name in names} - {""})
    if len(splits) != 1:
        raise UserError(
            f"{folder}: holds task files of {len(splits)} splits ({', '.join(splits) or 'none'}), "
            f"expected one; say with --split which"
        )
    return splits[0]


def _describe(
    data: str, infos: Sequence[SequenceInfo], describer: Describer
) -> dict[str, np.ndarray]:
    """Reads or computes descriptors, of one image sequence's patches at a time."""
    identity = None
    if describer.descriptors:
        identity = saved_model.read_identity_of_descriptors(describer.descriptors)
    elif describer.model:
        # Before TensorFlow is loaded: a refusal should not take ten seconds.
        identity = saved_model.read_identity(describer.model)
    saved_model.refuse_if_trained_on(
        identity, [info.name for info in infos], [info.scene for info in infos]
    )
    if describer.descriptors:
        return csv_tree.read_tree(describer.descriptors, {info.name: info.count for info in infos})
    describe = describer.load()
    descriptors: dict[str, np.ndarray] = {}
    for number, info in enumerate(infos):
        descriptors[info.name] = describe(info.name, release.read_patches(data, info))
        progress.report("describing patches", number + 1, len(infos), info.name)
    return descriptors


def _task_facts(tasks: Tasks) -> dict[str, Any]:
    sizes = {
        key: len(table)
        for key in ("positives", INTRA, INTER, "queries", "distractors")
        if (table := getattr(tasks, key)) is not None
    }
    return {
        "origin": tasks.origin,
        "checksum": tasks.checksum,
        "pool_sizes": list(tasks.pool_sizes),
        **sizes,
    }

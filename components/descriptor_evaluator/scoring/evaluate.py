"""Scoring descriptors on the HPatches tasks: `score` for arrays, `evaluate_release` for files."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import numpy as np

from components.core import files
from components.descriptor_evaluator.descriptors import csv_tree, handcrafted
from components.descriptor_evaluator.protocol import matching, retrieval, verification
from components.descriptor_evaluator.protocol import tasks as task_sources
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.protocol.tasks import (
    TASK_NAMES,
    SequenceInfo,
    Tasks,
    TaskSettings,
)
from components.descriptor_evaluator.scoring import release, stored_result, summary
from components.descriptor_evaluator.statistics import degeneracy
from trainer.core import progress
from trainer.core.code_fingerprint import fingerprint
from trainer.core.errors import UserError
from trainer.core.variants import VARIANTS

_CODE = (
    "components.descriptor_evaluator",
    "components.pusher.push_log",
    "trainer.model.byte_codes",
    "trainer.model.export",
    "trainer.data.records",
    "trainer.data.manifest",
    "trainer.core.variants",
)
_PACKAGES = ("numpy", "scipy", "opencv-python-headless", "tensorflow")


def score(
    descriptors: Mapping[str, np.ndarray],
    tasks: Tasks,
    which: Sequence[str] = TASK_NAMES,
    distance: Distance = "l2",
) -> list[UnitScore]:
    """Scores descriptors.

    Args:
        descriptors: float32 [16, N, D] per image sequence of `tasks`.
        tasks: What is compared.
        which: Tasks to score; one that `tasks` does not hold gives no rows.
        distance: What patches are near by.

    Returns:
        One row per unit; equal input gives equal rows in equal order.

    Raises:
        ValueError: When descriptors are missing or not of the expected shape, or a task is
            unknown.
    """
    unknown = sorted(set(which) - set(TASK_NAMES))
    if unknown:
        raise ValueError(f"there is no task {unknown[0]}, expected some of {TASK_NAMES}")
    for name, count in zip(tasks.names, tasks.counts, strict=True):
        shape = descriptors[name].shape if name in descriptors else None
        if shape is None or shape[:2] != (16, count):
            raise ValueError(f"descriptors of {name} have shape {shape}, expected (16, {count}, D)")
    rows: list[UnitScore] = []
    if "verification" in which:
        rows += verification.score(descriptors, tasks, distance)
    if "matching" in which:
        for number, name in enumerate(tasks.names):
            source, kind = tasks.sources[number], tasks.kinds[number]
            rows += matching.rows_of_sequence(name, source, kind, descriptors[name], distance)
            progress.report("scoring matching", number + 1, len(tasks.names), name)
    if "retrieval" in which:
        rows += retrieval.score(descriptors, tasks, distance)
    return rows


@dataclass(frozen=True)
class Subject:
    """What is scored: exactly one of these is given.

    Attributes:
        model: SavedModel with our serving signature.
        descriptors: CSV tree.
        baseline: Name of a handcrafted descriptor.
    """

    model: str | None = None
    descriptors: str | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.model, self.descriptors, self.baseline) if value]
        if len(given) != 1:
            raise UserError(
                f"{len(given)} of --model, --descriptors and --baseline are given, expected one "
                f"of them"
            )
        if self.baseline and self.baseline not in handcrafted.NAMES:
            raise UserError(
                f"there is no baseline '{self.baseline}', expected one of "
                f"{', '.join(handcrafted.NAMES)}"
            )


@dataclass(frozen=True)
class ReleaseScores:
    """What descriptors scored on a patch release.

    Attributes:
        rows: Of each subject.
        degeneracy: Measures of each subject.
        tasks: What was compared.
    """

    rows: tuple[list[UnitScore], ...]
    degeneracy: tuple[dict[str, Any], ...]
    tasks: Tasks


def score_release(
    data: str,
    subjects: Sequence[Subject],
    *,
    split: str | None = None,
    splits_file: str | None = None,
    tasks_folder: str | None = None,
    which: Sequence[str] = TASK_NAMES,
    settings: TaskSettings | None = None,
    distance: Distance = "l2",
) -> ReleaseScores:
    """Scores descriptors on the same tasks of a patch release.

    Args:
        data: Patch release; only names and numbers of patches are needed for a CSV tree.
        subjects: What is scored.
        split: Score the test list of this split; by default all image sequences.
        splits_file: Splits of the shape of HPatches' `splits.json`; by default the
            official ones.
        tasks_folder: Published task files of `split` (it need not be given when the folder
            holds those of one split); by default tasks are drawn.
        which: Tasks to score.
        settings: Sizes and seed of drawn tasks.
        distance: What patches are near by.

    Raises:
        UserError: When anything that was given cannot be used.
    """
    counts = release.counts_of_release(data)
    names = release.choose_sequences(list(counts), split, splits_file, data)
    drawn = tasks_folder is None and set(which) != {"matching"}
    infos = release.describe_sequences(data, names, with_contrast=drawn)
    tasks = _tasks(infos, split, tasks_folder, which, settings or TaskSettings())
    rows, reports = [], []
    for subject in subjects:  # one after the other: the descriptors of one are held at a time
        found = _descriptors(data, infos, subject)
        rows.append(score(found, tasks, which, distance))
        reports.append(degeneracy.measure(found))
    return ReleaseScores(tuple(rows), tuple(reports), tasks)


def evaluate_release(
    data: str,
    *,
    model: str | None = None,
    descriptors: str | None = None,
    baseline: str | None = None,
    which: Sequence[str] = TASK_NAMES,
    rows_folder: str | None = None,
    distance: Distance = "l2",
    **chosen: Any,
) -> dict[str, Any]:
    """Scores a model, stored descriptors or a baseline on a patch release.

    Args:
        data: Patch release.
        model: SavedModel with our serving signature.
        descriptors: CSV tree.
        baseline: Name of a handcrafted descriptor. Exactly one of these three is given.
        which: Tasks to score.
        rows_folder: New folder for the rows of all units (`stored_result`); None writes none.
        distance: What patches are near by.
        **chosen: As `score_release` takes them.

    Returns:
        `summary.summarise`'s result, `data` (what was scored and by which recipe, if a run
        would choose one, how the tasks came about, the degeneracy measures, notes) and
        `versions`; all of it JSON. An asked task that the data does not allow is None, and a
        note says why.

    Raises:
        UserError: When anything that was given cannot be used.
    """
    subject = Subject(model, descriptors, baseline)
    if rows_folder is not None:
        files.check_new_folder(rows_folder)
    scores = score_release(data, [subject], which=which, distance=distance, **chosen)
    (rows,), (report,), tasks = scores.rows, scores.degeneracy, scores.tasks
    limits = degeneracy.DegeneracySettings()
    result = summary.summarise(rows)
    result = {task: result.get(task) for task in TASK_NAMES if task in which}
    recipes = recipe_notes([subject])
    scored = asdict(subject)
    if recipes:
        scored["recipe"] = asdict(handcrafted.SMOOTHED)
    result["data"] = {
        "release": data,
        "split": chosen.get("split"),
        "scored": scored,
        "distance": distance,
        "sequences": list(tasks.names),
        "sources": len(set(tasks.sources)),
        "points": int(sum(tasks.counts)),
        "tasks": _task_facts(tasks),
        "degeneracy": report | {"thresholds": limits.model_dump()},
        "notes": [*tasks.notes, *recipes, *degeneracy.problems(report, limits)],
    }
    result["versions"] = versions()
    if rows_folder is not None:
        about = {
            "release": data,
            "data_checksum": data_checksum(data, tasks.names),
            "scored": scored,
            "distance": distance,
            "degeneracy": report,
            "notes": recipes,
            "versions": result["versions"],
            "code_fingerprint": code_fingerprint(),
            "evaluated": stored_result.now(),
        }
        stored_result.write(rows_folder, rows, tasks, about)
    return result


def recipe_notes(subjects: Sequence[Subject]) -> list[str]:
    """Says of handcrafted descriptors whose recipe a run chooses on data which one was taken."""
    how = handcrafted.in_words(handcrafted.SMOOTHED)
    return [
        f"{subject.baseline}: {how}; `hpatches run` chooses them on validation sequences"
        for subject in subjects
        if subject.baseline in handcrafted.CHOSEN
    ]


def data_checksum(data: str, names: Sequence[str]) -> str:
    """sha256 over name, variant and PNG bytes of the strips that are there.

    Args:
        data: Patch release.
        names: Image sequences that were scored.

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


def code_fingerprint() -> str:
    """Returns the fingerprint of all code that describes, scores and judges."""
    return fingerprint(*_CODE)


def versions() -> dict[str, str]:
    """Returns the versions of what scores depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # pragma: no cover (another build of OpenCV)
            continue
    return found


def _tasks(
    infos: Sequence[SequenceInfo],
    split: str | None,
    folder: str | None,
    which: Sequence[str],
    settings: TaskSettings,
) -> Tasks:
    if set(which) == {"matching"}:
        return task_sources.matching_only(infos)
    if folder is None:
        return task_sources.draw(infos, settings)
    split = split or _only_split(folder)
    counts = {info.name: info.count for info in infos}
    scenes = {info.name: info.source for info in infos}
    return task_sources.load_official(folder, split, counts, which, scenes)


def _only_split(folder: str) -> str:
    """Returns the split whose task files a folder holds."""
    names = [name for name in files.list_folder(folder) if name.endswith(".csv")]
    found = sorted({name[:-4].partition("_split-")[2] for name in names} - {""})
    if len(found) != 1:
        raise UserError(
            f"{folder}: holds task files of {len(found)} splits ({', '.join(found) or 'none'}), "
            f"expected one; say with --split which"
        )
    return found[0]


def _read(folder: str, infos: Sequence[SequenceInfo]) -> dict[str, np.ndarray]:
    from components.descriptor_evaluator.descriptors import saved_model

    _refuse_trained(saved_model.read_identity_of_descriptors(folder), infos)
    return csv_tree.read_tree(folder, {info.name: info.count for info in infos})


def _refuse_trained(identity: dict[str, Any] | None, infos: Sequence[SequenceInfo]) -> None:
    from components.descriptor_evaluator.descriptors import saved_model

    saved_model.refuse_if_trained_on(
        identity, [info.name for info in infos], [info.source for info in infos]
    )


def _descriptors(
    data: str, infos: Sequence[SequenceInfo], subject: Subject
) -> dict[str, np.ndarray]:
    """Reads or computes descriptors, of one image sequence's patches at a time."""
    from components.descriptor_evaluator.descriptors import saved_model
    from components.example_gen.formats import strips

    if subject.descriptors:
        return _read(subject.descriptors, infos)
    model = None
    if subject.model:
        # Before TensorFlow is loaded: a refusal should not take ten seconds.
        _refuse_trained(saved_model.read_identity(subject.model), infos)
        model = saved_model.load_model(subject.model)
    found: dict[str, np.ndarray] = {}
    for number, info in enumerate(infos):
        folder = files.join(data, info.name)
        item = strips.check(info.name, (folder,), info.source)[0]
        patches = strips.load(item).patches
        if model is not None:
            found[info.name] = saved_model.describe_patches(model, patches)
        else:
            found[info.name] = handcrafted.describe_sequence(str(subject.baseline), patches)
        progress.report("describing patches", number + 1, len(infos), info.name)
    return found


def _task_facts(tasks: Tasks) -> dict[str, Any]:
    sizes = {
        key: len(table)
        for key in ("positives", "intra", "inter", "queries", "distractors")
        if (table := getattr(tasks, key)) is not None
    }
    return {
        "origin": tasks.origin,
        "checksum": tasks.checksum,
        "pool_sizes": list(tasks.pool_sizes),
        **sizes,
    }

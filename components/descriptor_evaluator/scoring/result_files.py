"""An evaluation's files: the scores of all units, what was compared, and what it is about.

A folder holds `scores/<name>.jsonl` for everything that was scored, `summary.json` (the
candidate's), the tasks (`tasks.npz`) and `about.json`. The evaluation artifact of a pipeline
run is such a folder, and `hpatches evaluate --rows DIR` writes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.core import files
from components.core.names import CANDIDATE
from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.protocol.task_tables import Tasks
from components.descriptor_evaluator.report_data import exhibits
from components.descriptor_evaluator.scoring import summary
from components.descriptor_evaluator.scoring.scores_cache import (
    Scored,
    rows_from_lines,
    rows_to_lines,
)
from components.descriptor_evaluator.statistics import degeneracy
from trainer.core.documents import read_json
from trainer.core.errors import UserError

SCORES_FOLDER = "scores"
ABOUT_FILE = "about.json"
SUMMARY_FILE = "summary.json"


@dataclass(frozen=True)
class StoredResult:
    """The candidate's part of a result.

    Attributes:
        scores: One per unit.
        tasks: Tables of the tasks.
        about: JSON; `data_checksum` says on which patches, `scored` what was scored,
            `distance` by which distance, `degeneracy` what its descriptors measured, `notes`
            what is to be known of it, and `provenance.stamp` what scored it.
        problems: Sentences on how the descriptors are degenerate; empty also when
            the measures were not written down.
    """

    scores: tuple[UnitScore, ...]
    tasks: Tasks
    about: dict[str, Any]
    problems: tuple[str, ...] = ()

    @property
    def data_checksum(self) -> str:
        """Checksum of the patches; empty when it was not written down."""
        return str(self.about.get("data_checksum", ""))

    @property
    def distance(self) -> str:
        """Distance metric; results that do not name it are by L2, once the only one."""
        return str(self.about.get("distance", "l2"))

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the tasks and on what was scored."""
        notes = self.about.get("notes", ())
        return (*self.tasks.notes, *map(str, notes if isinstance(notes, list) else ()))


def is_stored(folder: str) -> bool:
    """Tells whether a folder holds a result."""
    return files.exists(scores_path(folder, CANDIDATE))


def write_new(folder: str, scored: Scored, tasks: Tasks, about: Mapping[str, Any]) -> None:
    """Writes a candidate's result into a new folder, whole or not at all.

    Raises:
        UserError: When something is there already or it cannot be written.
    """
    with files.new_folder(folder) as staging, files.told_unwritable(folder):
        tasks.save(staging)
        write(staging, {CANDIDATE: scored}, about)


def write(folder: str, scored: Mapping[str, Scored], about: Mapping[str, Any]) -> None:
    """Writes a result into a folder that exists; the tasks are saved apart.

    Args:
        folder: Folder of the evaluation.
        scored: Scores by name, the candidate's under `CANDIDATE`.
        about: JSON (see `StoredResult`).
    """
    files.write_json(files.join(folder, ABOUT_FILE), about)
    files.write_json(files.join(folder, SUMMARY_FILE), summary.summarise(scored[CANDIDATE].rows))
    shown = {
        name: item.facts[exhibits.FACT]
        for name, item in scored.items()
        if exhibits.FACT in item.facts
    }
    if CANDIDATE in shown:
        exhibits.write(folder, shown)
    for name, item in reversed(list(scored.items())):  # the candidate's mark the result as whole
        files.write_text(scores_path(folder, name), rows_to_lines(item.rows))


def read(folder: str) -> StoredResult:
    """Reads the candidate's result.

    Raises:
        UserError: When it is missing or damaged.
    """
    scores = read_scores(folder, CANDIDATE)
    about, problems = _read_about(files.join(folder, ABOUT_FILE))
    return StoredResult(scores, Tasks.load(folder), about, problems)


def read_scores(folder: str, name: str) -> tuple[UnitScore, ...]:
    """Reads the scores of one descriptor.

    Raises:
        UserError: When they are missing or damaged.
    """
    path = scores_path(folder, name)
    try:
        return rows_from_lines(files.read_text(path))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path}: cannot be read as the scores of an evaluation ({error}); evaluate again"
        ) from error


def scored_names(folder: str) -> list[str]:
    """Lists what was scored, without order; nothing when there are no scores."""
    place = files.join(folder, SCORES_FOLDER)
    if not files.is_folder(place):
        return []
    return [name[:-6] for name in files.list_folder(place) if name.endswith(".jsonl")]


def scores_path(folder: str, name: str) -> str:
    """Returns the file of the scores of one descriptor."""
    return files.join(folder, f"{SCORES_FOLDER}/{name}.jsonl")


def _read_about(path: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns what a result is about, and the problems of its descriptors."""
    if not files.exists(path):
        return {}, ()
    try:
        about = read_json(files.read_text(path))
        if not isinstance(about, dict):
            raise TypeError(f"a {type(about).__name__} in the place of an object")
        report = about.get("degeneracy")
        if report is None:
            return about, ()
        return about, tuple(degeneracy.problems(report))
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path}: does not say what the result is about ({error}), expected a JSON object as "
            f"an evaluation writes it; evaluate again"
        ) from error

"""The result of an evaluation in a folder, so that it can be compared with another one.

The folder holds `scores/candidate.jsonl`, the tasks (`tasks.npz`) and `about.json`: the
evaluation artifact of a pipeline run is such a folder, and `hpatches evaluate --rows DIR`
writes one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from components.core import files
from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.protocol.task_tables import Tasks
from components.descriptor_evaluator.scoring.scores_cache import rows_from_lines, rows_to_lines
from components.descriptor_evaluator.statistics import degeneracy
from trainer.core.errors import UserError

ROWS_FOLDER = "scores"
CANDIDATE = "candidate"
ABOUT_FILE = "about.json"


@dataclass(frozen=True)
class StoredResult:
    """What was scored, and what it scored.

    Attributes:
        rows: One per unit.
        tasks: What was compared.
        about: JSON; `data_checksum` says on which patches, `scored` what was scored, `distance`
            by which distance,
            `degeneracy` what its descriptors measured, `notes` what is to be known of it,
            `code_fingerprint` and `versions` what scored it, `evaluated` when.
        problems: What is degenerate about the descriptors, in sentences; empty also when
            the measures were not written down.
    """

    rows: tuple[UnitScore, ...]
    tasks: Tasks
    about: dict[str, Any]
    problems: tuple[str, ...] = ()

    @property
    def data_checksum(self) -> str:
        """Of the patches; empty when it was not written down."""
        return str(self.about.get("data_checksum", ""))

    @property
    def distance(self) -> str:
        """What patches were near by; results that do not say are by L2, which was the only one."""
        return str(self.about.get("distance", "l2"))

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the tasks and on what was scored."""
        found = self.about.get("notes", ())
        return (*self.tasks.notes, *map(str, found if isinstance(found, list) else ()))


def now() -> str:
    """Returns the time as `evaluated` holds it, in UTC, e.g. `2025-06-01T12:30:00+00:00`."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def scored_differently(
    first: StoredResult, second: StoredResult, names: tuple[str, str]
) -> list[str]:
    """Says what scored the one result and not the other; nothing when it was the same.

    Args:
        first: A result.
        second: Another one.
        names: What they are called.
    """
    found = []
    codes = [result.about.get("code_fingerprint") for result in (first, second)]
    if codes[0] != codes[1]:
        found.append("another version of this evaluation")
    ours, theirs = (result.about.get("versions") or {} for result in (first, second))
    found += [
        f"{package} {ours.get(package, 'not told')} and {theirs.get(package, 'not told')}"
        for package in sorted({*ours, *theirs})
        if ours.get(package) != theirs.get(package)
    ]
    if not found:
        return []
    return [
        f"{names[0]} and {names[1]} were scored with different software ({', '.join(found)}), so "
        f"a part of the differences may be its; score both anew with --data to rule that out."
    ]


def is_stored(folder: str) -> bool:
    """Tells whether a folder holds a result."""
    return files.exists(_rows_path(folder, CANDIDATE))


def write(folder: str, rows: Sequence[UnitScore], tasks: Tasks, about: dict[str, Any]) -> None:
    """Writes a result into a new folder, whole or not at all.

    Raises:
        UserError: When something is there already or it cannot be written.
    """
    with files.new_folder(folder) as staging, files.told_unwritable(folder):
        if not files.is_remote(staging):
            Path(staging, ROWS_FOLDER).mkdir()
        tasks.save(staging)
        write_about(staging, about)
        text = rows_to_lines(rows)  # last: they tell that the result is whole
        files.write_bytes(_rows_path(staging, CANDIDATE), text.encode())


def write_about(folder: str, about: dict[str, Any]) -> None:
    """Writes what a result is about."""
    files.write_bytes(files.join(folder, ABOUT_FILE), json.dumps(about, indent=1).encode())


def read(folder: str) -> StoredResult:
    """Reads a result.

    Raises:
        UserError: When it is missing or damaged.
    """
    path = _rows_path(folder, CANDIDATE)
    try:
        rows = rows_from_lines(files.read_text(path))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path}: cannot be read as the rows of an evaluation ({error}); evaluate again"
        ) from error
    about, problems = _read_about(files.join(folder, ABOUT_FILE))
    return StoredResult(rows, Tasks.load(folder), about, problems)


def _read_about(path: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns what a result is about, and the problems of its descriptors."""
    if not files.exists(path):
        return {}, ()
    try:
        about = json.loads(files.read_text(path))
        if not isinstance(about, dict):
            raise TypeError(f"a {type(about).__name__} in the place of an object")
        report = about.get("degeneracy")
        if report is None:
            return about, ()
        return about, tuple(degeneracy.problems(report, degeneracy.DegeneracySettings()))
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path}: does not say what the result is about ({error}), expected a JSON object as "
            f"an evaluation writes it; evaluate again"
        ) from error


def _rows_path(folder: str, name: str) -> str:
    return files.join(folder, f"{ROWS_FOLDER}/{name}.jsonl")

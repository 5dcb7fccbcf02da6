"""Scores kept by content: the candidate's rows of today are production's of tomorrow.

An entry's name is a hash over everything the rows follow from (the model, its parameters,
the evaluation data, the tasks, the code, the libraries' versions), so an entry is never stale;
it is only ever absent or damaged, and both mean "score again".
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.core import files
from components.descriptor_evaluator.protocol.scores import UnitScore
from trainer.core.documents import read_json

_FORMAT = 3


@dataclass(frozen=True)
class Scored:
    """What scoring one descriptor gave.

    Attributes:
        rows: One per unit.
        facts: Other results of the same run that JSON can hold, e.g. the degeneracy report.
    """

    rows: tuple[UnitScore, ...]
    facts: dict[str, Any] = field(default_factory=dict)


def entry_key(
    descriptor: str,
    parameters: Mapping[str, Any],
    data_checksum: str,
    tasks_checksum: str,
    code_fingerprint: str,
) -> str:
    """Returns the name of a cache entry, of what a model (its checksum) or a baseline gave.

    `parameters` is everything else that changes the result, as JSON values.
    """
    content = json.dumps(
        [_FORMAT, descriptor, dict(parameters), data_checksum, tasks_checksum, code_fingerprint],
        sort_keys=True,
    )
    return hashlib.sha256(content.encode()).hexdigest()


def rows_to_lines(rows: Sequence[UnitScore]) -> str:
    """Serializes rows as JSON lines; numbers come back bit for bit."""
    return "".join(json.dumps(vars(row), sort_keys=True) + "\n" for row in rows)


def rows_from_lines(text: str) -> tuple[UnitScore, ...]:
    """Reads `rows_to_lines` back."""
    return tuple(UnitScore(**read_json(line)) for line in text.splitlines())


class ScoresCache:
    """A folder of scores.

    Attributes:
        folder: Folder of the entries, local or `gs://`; None keeps nothing.
    """

    def __init__(self, folder: str | None):
        self.folder = folder

    def get(self, key: str) -> Scored | None:
        """Returns an entry, or None when there is no whole one."""
        if self.folder is None or not files.exists(self._path(key)):
            return None
        try:
            checksum, _, content = files.read_bytes(self._path(key)).decode().partition("\n")
            if checksum != _checksum(content):
                return None
            head, _, body = content.partition("\n")
            header = read_json(head)
            return Scored(rows_from_lines(body), header["facts"]) if header["key"] == key else None
        except (ValueError, KeyError, TypeError):  # ValueError: no UTF-8, no JSON
            return None

    def put(self, key: str, scored: Scored) -> None:
        """Stores an entry, whole or not at all."""
        if self.folder is None:
            return
        header = json.dumps({"key": key, "facts": scored.facts}, sort_keys=True)
        content = f"{header}\n{rows_to_lines(scored.rows)}"
        files.write_text(self._path(key), f"{_checksum(content)}\n{content}")

    def _path(self, key: str) -> str:
        assert self.folder is not None
        return posixpath.join(self.folder, f"{key}.jsonl")


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

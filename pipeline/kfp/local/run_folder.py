"""What is kept of runs of a compiled pipeline on this machine, in one folder.

    run.json                      the run at hand, or the last one: task by task what it left
    finished/<key>.json           what tasks left, by everything that they depend on
    tasks/<run>/<task>/<attempt>  of each process: ExecutorInput, command, log, output file
    root/<run>/<task>/<attempt>   artifacts, unless they go to a bucket

Each JSON file is written whole or not at all, so that a killed run goes on where it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import posixpath
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from components.core import files
from pipeline.kfp.local.outcomes import Outcome
from trainer.core.documents import read_json
from trainer.core.errors import UserError

RUN_FILE = "run.json"
_SHOWN = 24


def checksum(tree: Any) -> str:
    """Hashes a plain tree."""
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Run:
    """One execution of a spec.

    Attributes:
        name: Name of the run.
        asked: Checksum of everything it was asked for (spec, parameters, mode).
        done: Whether it came to its end.
        outcomes: Outcomes of the tasks that are over, by name.
    """

    name: str
    asked: str
    done: bool = False
    outcomes: Mapping[str, Outcome] = dataclasses.field(default_factory=dict)

    def with_outcome(self, task: str, outcome: Outcome) -> Run:
        """Returns the run after one more task."""
        return dataclasses.replace(self, outcomes={**self.outcomes, task: outcome})


class RunFolder:
    """The folder; whoever uses it holds its lock (`pipeline.runs.work_lock`)."""

    def __init__(self, folder: Path, pipeline_root: str | None = None):
        """Writes nothing yet.

        Args:
            folder: Absolute.
            pipeline_root: For artifacts; None: `root` in the folder.
        """
        self._folder = folder
        self.pipeline_root = pipeline_root or str(folder / "root")

    def open_run(self, asked: str) -> Run:
        """Returns the run that was left before its end, or a new one.

        Args:
            asked: See `Run`. A run that was asked for something else is not gone on with.

        Raises:
            UserError: When its record cannot be read.
        """
        path = self._folder / RUN_FILE
        tree = _read(path) if path.exists() else {}
        with _told(path):
            if tree and not tree["done"] and tree["asked"] == asked:
                items = tree["outcomes"].items()
                outcomes = {name: Outcome.from_tree(item) for name, item in items}
                return Run(tree["name"], asked, outcomes=outcomes)
        return Run(datetime.now(timezone.utc).strftime("run-%Y%m%d-%H%M%S-%f"), asked)

    def save(self, run: Run) -> None:
        """Writes down how far a run is."""
        _write(self._folder / RUN_FILE, dataclasses.asdict(run))

    def remember(self, key: str, outcome: Outcome) -> None:
        """Keeps what a task left, for executions that depend on the same."""
        # Not every output is written: Transform's analyzer cache is not where it has none.
        there = [uri for uri in _uris(outcome) if files.exists(uri)]
        record = {"outcome": dataclasses.asdict(outcome), "there": there}
        _write(self._folder / "finished" / f"{key}.json", record)

    def recall(self, key: str, look: bool = True) -> Outcome | None:
        """Returns what an equal execution left; None when there was none or it was deleted.

        Args:
            key: Everything that it depends on.
            look: Whether the files that it had are looked for.
        """
        path = self._folder / "finished" / f"{key}.json"
        if not path.exists():
            return None
        record = _read(path)
        with _told(path):
            gone = look and not all(files.exists(uri) for uri in record["there"])
            return None if gone else Outcome.from_tree(record["outcome"])

    def artifacts(self, run: str, task: str, attempt: int) -> str:
        """Returns the folder for the artifacts of a task's attempt."""
        return posixpath.join(self.pipeline_root, run, task, str(attempt))

    def attempts(self, run: str, task: str) -> list[Path]:
        """Returns the folders of the attempts at a task so far, the newest last."""
        folder = self._folder / "tasks" / run / task
        numbers = [int(name) for name in files.names(str(folder)) if name.isdecimal()]
        return [folder / str(number) for number in sorted(numbers)]

    def new_attempt(self, run: str, task: str) -> tuple[int, Path]:
        """Makes the folder of the next attempt; returns its number and itself."""
        number = len(self.attempts(run, task)) + 1
        folder = self._folder / "tasks" / run / task / str(number)
        folder.mkdir(parents=True)
        return number, folder


def _uris(outcome: Outcome) -> list[str]:
    return [item["uri"] for listed in outcome.artifacts.values() for item in listed]


def _read(path: Path) -> dict[str, Any]:
    with _told(path):
        return read_json(path.read_text(encoding="utf-8"))


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: cannot be read ({str(error)[:_SHOWN]}...); choose another folder with --work"
        ) from error


def _write(path: Path, tree: dict[str, Any]) -> None:
    files.write_json(str(path), tree)

"""A work folder that was copied or moved works on itself, not on where it came from.

Records and ML Metadata hold absolute paths, by which TFX finds what is in its cache. Those below
the earlier work folder are taken to be below the present one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from components.core import files
from pipeline.runs.metadata_db import ARTIFACTS, open_store

if TYPE_CHECKING:
    from pipeline.runs.records import RunSummary

_ARTIFACT = re.compile(rf"(.+)/{ARTIFACTS}/[^/]+/[^/]+/\d+(?:/.*)?")


def here(summary: RunSummary, work_dir: str) -> RunSummary:
    """Returns a record whose paths below the work folder of that time are below `work_dir`."""
    now = _absolute(work_dir)
    before = summary.work_dir or next(filter(None, map(_root_of, summary.output_uris)), now)
    if files.normalise(before) == files.normalise(now):
        return summary
    components = tuple(
        item.model_copy(
            update={
                "outputs": {
                    key: tuple(_moved(uri, before, now) for uri in uris)
                    for key, uris in item.outputs.items()
                }
            }
        )
        for item in summary.components
    )
    return summary.model_copy(
        update={
            "components": components,
            "push_destination": _moved(summary.push_destination, before, now),
            "work_dir": now,
        }
    )


def adopt(work_dir: str) -> None:
    """Brings the paths in ML Metadata to the present work folder; hold its lock."""
    now = _absolute(work_dir)
    store = open_store(work_dir)
    if store is None:
        return
    changed = []
    for artifact in store.get_artifacts():
        root = _root_of(artifact.uri)
        if root and files.normalise(root) != files.normalise(now):
            artifact.uri = _moved(artifact.uri, root, now)
            changed.append(artifact)
    if changed:
        store.put_artifacts(changed)


def _root_of(uri: str) -> str:
    """Returns the work folder that an artifact was written in; "" where it shows none."""
    match = _ARTIFACT.fullmatch(uri)
    return match[1] if match else ""


def _moved(path: str, before: str, now: str) -> str:
    return now + path[len(before) :] if path.startswith(f"{before}/") else path


def _absolute(path: str) -> str:
    return path.rstrip("/") if files.is_remote(path) else str(Path(path).expanduser().absolute())

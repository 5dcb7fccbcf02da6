"""Finds and deletes the artifacts of old runs.

Artifacts lie under `<work>/artifacts/<Component>/<output>/<execution id>`. One folder often
serves several runs, because a cached component's outputs are an earlier run's; only what
no kept run names may go.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from components.core import files
from pipeline.runs import records
from pipeline.runs.metadata_db import ARTIFACTS, open_store
from pipeline.runs.relocation import adopt
from trainer.core.errors import UserError

_SYSTEM = ".system"  # where TFX keeps its own notes on each execution
_RUN_CONTEXT = "pipeline_run"


class Leftover(NamedTuple):
    """A folder that can go: its path, the bytes in it, and why."""

    path: str
    bytes: int
    why: str


class Plan(list[Leftover]):
    """What `delete` would delete; a list that also knows the work folder and the old runs."""

    def __init__(self, work_dir: str, leftovers: Iterable[Leftover], old_runs: Iterable[str]):
        """Takes the work folder, the folders and the ids of the runs that lose theirs."""
        super().__init__(leftovers)
        self.work_dir = work_dir
        self.old_runs = tuple(old_runs)

    @property
    def total_bytes(self) -> int:
        """What deleting frees."""
        return sum(leftover.bytes for leftover in self)


def plan(work_dir: str, keep: int = 3) -> Plan:
    """Finds the artifact folders that can go, by path; changes nothing.

    Kept are the `keep` newest runs and the newest one that ran to its end, with everything
    they made or took from the cache, every push destination, and whatever is younger than
    the oldest kept run without belonging to an older one (a run that crashed or is still
    going may want it).

    Args:
        work_dir: Work folder of the pipeline; local or `gs://`.
        keep: Number of runs to keep, at least 1.

    Raises:
        UserError: When `keep` is below 1, or the records do not belong to this folder.
    """
    if keep < 1:
        raise UserError(f"keep: {keep} runs; expected at least 1, since the newest run is kept")
    known = records.list_runs(work_dir)
    if not known:
        return Plan(work_dir, (), ())
    kept = _runs_to_keep(known, keep)
    old = [run for run in known if run not in kept]
    root = files.normalise(posixpath.join(work_dir, ARTIFACTS))
    used = _used_folders(work_dir, root, kept)
    protected = {files.normalise(run.push_destination) for run in known if run.push_destination}
    owners = {folder: run for run in reversed(old) for folder in _folders(root, run)}
    oldest_kept = min(run.started.timestamp() for run in kept)

    leftovers = []
    for folder in _artifact_folders(root):
        if folder in used or any(_overlap(folder, place) for place in protected):
            continue
        size, changed = _measure(folder)
        if folder in owners:
            started = owners[folder].started.astimezone().strftime(records.SHOWN_TIME)
            leftovers.append(Leftover(folder, size, f"of the run of {started}"))
        elif changed < oldest_kept:
            leftovers.append(Leftover(folder, size, "older than the kept runs, used by none"))
    return Plan(work_dir, leftovers, (run.run_id for run in old))


def delete(planned: Plan) -> int:
    """Deletes what was planned and returns the bytes freed.

    ML Metadata is told first: if the deletion is interrupted, no cache points at a folder
    that is half gone. The records of the old runs stay, marked as cleaned. Hold the work
    folder's lock: a run that is going may be about to reuse an old folder.

    Raises:
        ValueError: When a folder is not one of this work folder's artifacts.
    """
    root = files.normalise(posixpath.join(planned.work_dir, ARTIFACTS))
    for leftover in planned:
        if not _is_inside(files.normalise(leftover.path), root):
            raise ValueError(f"{leftover.path} is no artifact of {planned.work_dir}")
    adopt(planned.work_dir)
    _mark_deleted(planned.work_dir, [leftover.path for leftover in planned])
    for leftover in planned:
        files.remove_folder(leftover.path)
    old = set(planned.old_runs)
    for run in records.list_runs(planned.work_dir):
        if run.run_id in old and not run.cleaned:
            records.record_run(planned.work_dir, run.model_copy(update={"cleaned": True}))
    return planned.total_bytes


def _runs_to_keep(known: list[records.RunSummary], keep: int) -> list[records.RunSummary]:
    """The newest ones, and the newest complete one: after failures its caches are wanted."""
    complete = [run for run in known if run.ran_to_its_end]
    return known[:keep] + [run for run in complete[:1] if run not in known[:keep]]


def _used_folders(work_dir: str, root: str, kept: list[records.RunSummary]) -> set[str]:
    newest = kept[0]
    if newest.output_uris and not _folders(root, newest):
        raise UserError(
            f"{root}: none of the artifacts of run {newest.run_id} is there; expected the folder "
            f"they were written to ({newest.output_uris[0]}). If they were deleted by hand, delete "
            f"the work folder, too"
        )
    used = {folder for run in kept for folder in _folders(root, run)}
    uris = _uris_of_runs(work_dir, [run.run_id for run in kept])
    return used | {folder for uri in uris if (folder := _folder_of(root, uri))}


def _folders(root: str, run: records.RunSummary) -> set[str]:
    return {folder for uri in run.output_uris if (folder := _folder_of(root, uri))}


def _folder_of(root: str, uri: str) -> str | None:
    """The `<Component>/<output>/<execution id>` folder that a URI is or lies in."""
    path = files.normalise(uri)
    if not _is_inside(path, root):
        return None
    parts = path[len(root) + 1 :].split("/")
    return posixpath.join(root, *parts[:3]) if len(parts) >= 3 else None


def _artifact_folders(root: str) -> Iterator[str]:
    for component in files.names(root):
        for output in files.names(posixpath.join(root, component)):
            parent = posixpath.join(root, component, output)
            parents = [parent]
            if output == _SYSTEM:
                parents = [posixpath.join(parent, kind) for kind in files.names(parent)]
            for folder in parents:
                for name in files.names(folder):
                    path = posixpath.join(folder, name)
                    if files.is_folder(path):
                        yield path


def _measure(folder: str) -> tuple[int, float]:
    """Returns the bytes below a folder and when the youngest file changed (0 without files)."""
    statuses = list(files.files_under(folder))
    return sum(f.size for f in statuses), max((f.changed for f in statuses), default=0.0)


def _is_inside(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")


def _overlap(one: str, other: str) -> bool:
    return one == other or _is_inside(one, other) or _is_inside(other, one)


def _uris_of_runs(work_dir: str, run_ids: list[str]) -> list[str]:
    """What ML Metadata knows the runs to use, where it knows them by these ids."""
    store = open_store(work_dir)
    if store is None:
        return []
    contexts = [store.get_context_by_type_and_name(_RUN_CONTEXT, run_id) for run_id in run_ids]
    return [
        artifact.uri
        for context in contexts
        if context
        for artifact in store.get_artifacts_by_context(context.id)
    ]


def _mark_deleted(work_dir: str, folders: list[str]) -> None:
    store = open_store(work_dir)
    if store is None or not folders:
        return
    from ml_metadata.proto import metadata_store_pb2

    gone = []
    places = set(folders)
    root = files.normalise(posixpath.join(work_dir, ARTIFACTS))
    for artifact in store.get_artifacts():
        if artifact.uri and _folder_of(root, artifact.uri) in places:
            artifact.state = metadata_store_pb2.Artifact.DELETED
            gone.append(artifact)
    if gone:
        store.put_artifacts(gone)

"""What a user means by a folder: which model, and which work folder."""

from __future__ import annotations

from collections.abc import Iterator

from components.core import files
from components.core.names import MODEL_KEY, TRAINER
from components.serving.production_model import served_model
from pipeline.config.tree import DEFAULT_WORK_DIR
from pipeline.runs import records
from trainer.core.errors import UserError
from trainer.model.names import SAVED_MODEL_FILE, SERVING_DIR

_DEMO = "demo"  # the work folder of `make demo`
_PUSHED = "serving"


def model(path: str) -> str:
    """Returns the SavedModel that a folder stands for.

    Args:
        path: A SavedModel, or a model artifact with one; or a push destination, or a work
            folder, of which the newest pushed model is meant.

    Returns:
        Its folder; `path` itself where it is nothing of these.

    Raises:
        UserError: When it is a work folder that no model was pushed from.
    """
    for place in (path, files.join(path, SERVING_DIR)):
        if files.exists(files.join(place, SAVED_MODEL_FILE)):
            return place
    for place in _destinations(path):
        versions = served_model.versions(place)
        if versions:
            return files.join(place, str(versions[-1]))
    if records.is_work_folder(path):
        candidates = (run.output(TRAINER, MODEL_KEY) for run in records.list_runs(path))
        candidate = next(filter(None, candidates), "")
        advice = f"; the newest candidate is {files.join(candidate, SERVING_DIR)}"
        raise UserError(
            f"{path}: no model has been pushed from this work folder{advice if candidate else ''}"
        )
    return path


def work_folder(chosen: str | None) -> str:
    """Returns the work folder that is meant where `chosen` does not say it.

    `work`, `demo`, or the only one that is near.
    """
    if chosen is not None:
        return chosen
    alike = records.work_folders_near()
    for name in (DEFAULT_WORK_DIR, _DEMO):
        if name in alike:
            return name
    return alike[0] if len(alike) == 1 else DEFAULT_WORK_DIR


def _destinations(path: str) -> Iterator[str]:
    yield path
    if records.is_work_folder(path):
        yield from dict.fromkeys(
            run.push_destination for run in records.list_runs(path) if run.push_destination
        )
    yield files.join(path, _PUSHED)

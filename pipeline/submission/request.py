"""What is asked of a platform: a spec, its parameters and a place, all checked beforehand.

Nothing is uploaded here: whatever is wrong is told before anybody is asked for anything.
"""

from __future__ import annotations

import dataclasses
import datetime
import posixpath
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from components.kubeflow import object_stores
from components.kubeflow.object_stores import STORE
from pipeline.kfp import caching, files, parameters
from pipeline.kfp.check import check_spec
from pipeline.kfp.tasks import in_order, read_tasks
from pipeline.submission import training_job
from pipeline.submission.training_job import JobTerms
from trainer.core.errors import UserError

PARAMETERS = {
    "--data": "data_path",
    "--push": "push_destination",
    "--tasks": "tasks_path",
    "--project": "project",
    "--location": "location",
    "--staging": "staging",
}
"""The options that stand for parameters of a run."""

_PLACES = ("data_path", "push_destination", "tasks_path", "staging")
_OF_THE_RUN = {"vertex": ("--project", "--location"), "kubeflow": ()}
_LONGEST_NAME = 100  # Vertex AI takes 128 characters, of which the time needs some


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """A run that could start: spec, value of every parameter, and pipeline root."""

    name: str
    pipeline: str
    spec: dict[str, Any]
    values: dict[str, Any]
    root: str

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, each after those that it depends on."""
        return [task.name for task in in_order(read_tasks(self.spec))]


def prepare(
    path: str,
    target: str,
    root: str,
    texts: Iterable[str] = (),
    options: Mapping[str, str | None] | None = None,
    job: JobTerms | None = None,
) -> RunRequest:
    """Reads a compiled pipeline and refuses what could not run.

    Args:
        path: File that `hpatches compile` has written.
        target: `kubeflow` or `vertex`.
        root: Pipeline root.
        texts: `name=value` of parameters.
        options: Values by option, see `PARAMETERS`; None for those that were left out.
        job: What goes for a training job on Vertex AI, if the pipeline starts one.

    Raises:
        UserError: With the file, parameter or option, and what was expected.
    """
    spec = files.read(path)
    try:
        check_spec(spec)
    except UserError as error:
        problems = str(error).splitlines()
        raise UserError("\n".join(f"{path}: {problem}" for problem in problems)) from error
    _check_target(path, spec, target)
    spec = training_job.with_terms(spec, job or JobTerms())
    root = root.rstrip("/")
    values = parameters.parse(spec, texts)
    values |= _of_options(spec, target, values, options or {})
    if "staging" in parameters.declared(spec):
        values.setdefault("staging", posixpath.join(root, "staging"))
    values = parameters.check_parameters(spec, values)
    _check_places({"--pipeline-root": root} | {name: values.get(name, "") for name in _PLACES})
    training_job.check(spec, values)
    if target == "kubeflow":
        spec, values = caching.for_run(spec, values)
    pipeline = spec["pipelineInfo"]["name"]
    return RunRequest(_name(pipeline), pipeline, spec, values, root)


def _check_target(path: str, spec: Mapping[str, Any], target: str) -> None:
    """Refuses what was compiled for Vertex AI on Kubeflow, which would leave the drivers out."""
    if target != "kubeflow":
        return
    for task in read_tasks(spec).values():
        if task.executor.get("container", {}).get("lifecycle"):
            raise UserError(
                f"{path}: {task.name} has a driver (lifecycle.preCacheCheck), which only Vertex AI "
                "runs; expected a pipeline that was compiled with --target kubeflow"
            )


def _of_options(
    spec: Mapping[str, Any],
    target: str,
    values: Mapping[str, Any],
    options: Mapping[str, str | None],
) -> dict[str, str]:
    """Returns the parameters that options stand for."""
    known = parameters.declared(spec)
    named = {}
    for option, value in options.items():
        name = PARAMETERS[option]
        of_the_run = option in _OF_THE_RUN[target]
        if value is None or (of_the_run and (name not in known or name in values)):
            continue
        if name not in known:
            raise UserError(
                f"{option}: found {value}, but this pipeline has no parameter {name}; remove it"
            )
        if name in values:
            raise UserError(
                f"{option}: found {value}, but --param {name}={values[name]} as well; remove one"
            )
        named[name] = value
    return named


def _check_places(places: Mapping[str, str]) -> None:
    """Refuses folders that are not in an object store: tasks run on other machines."""
    for name, place in places.items():
        bucket = place.removeprefix(STORE).partition("/")[0]
        if "://" in place and not place.startswith(STORE):
            raise UserError(f"{name}: found {place}, but {object_stores.reason(place)}")
        if place and not (place.startswith(STORE) and bucket):
            raise UserError(
                f"{name}: found {place}, which the machines of the platform cannot read or write; "
                f"expected a folder in a bucket, {STORE}BUCKET/FOLDER"
            )


def _name(pipeline: str) -> str:
    """Returns a name for a run that Vertex AI takes, too: it begins with a letter."""
    stem = pipeline if pipeline[0].isalpha() else f"run-{pipeline}"
    time = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d%H%M%S")
    return f"{stem[:_LONGEST_NAME]}-{time}-{secrets.token_hex(3)}"

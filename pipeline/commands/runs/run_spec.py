"""`hpatches run-spec`: a compiled pipeline on this machine, task by task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from pipeline.kfp import caching, files, parameters
from pipeline.kfp.local.launcher import LOGS
from pipeline.kfp.local.run_folder import RUN_FILE
from pipeline.runs import work_lock
from pipeline.terminal import consoles
from pipeline.terminal.run_view import RunView

if TYPE_CHECKING:
    from pipeline.kfp.local.outcomes import Outcome

DEFAULT_WORK_DIR = "spec-work"
_MODES = ("kfp", "vertex")


@click.command("run-spec")
@click.argument("file", metavar="FILE")
@click.option(
    "--param",
    "texts",
    metavar="NAME=VALUE",
    multiple=True,
    help="Parameter of the run, e.g. data_path=/data/photographs; repeatable.",
)
@click.option(
    "--work",
    metavar="DIR",
    default=DEFAULT_WORK_DIR,
    show_default=True,
    help="Folder for artifacts, logs and what is needed to go on.",
)
@click.option(
    "--mode",
    type=click.Choice(_MODES),
    help="Backend to stand in for: vertex runs ExampleGen's driver, kfp downloads, uploads and "
    "ends tasks as Kubeflow's launcher does [default: the one that the file was compiled for].",
)
@click.option(
    "--pipeline-root",
    "root",
    metavar="FOLDER",
    help="Folder for artifacts, e.g. in a bucket [default: below --work].",
)
@click.option(
    "--from",
    "only_from",
    metavar="TASK",
    multiple=True,
    help="Run this task and those that depend on it anew, and take all others from earlier "
    "runs; repeatable.",
)
def run_spec(
    file: str,
    texts: tuple[str, ...],
    work: str,
    mode: str | None,
    root: str | None,
    only_from: tuple[str, ...],
) -> None:
    """Run a compiled pipeline here, without containers.

    Each task runs in a process of its own, in the order of the DAG, with the command and the
    inputs that Kubeflow Pipelines or Vertex AI would give it. Use it to find out what is wrong
    with a compiled file, or with an image's code, before it costs a cluster's time. A run that
    was stopped or failed goes on with the task at hand.

    The commands in FILE are run as they are, as this user and, in the mode vertex, with all
    environment variables: run only files whose origin you trust.
    """
    from pipeline.kfp.check import check_spec  # these two import protobuf's JSON
    from pipeline.kfp.local import execution

    spec = files.read(file)
    check_spec(spec)
    values = parameters.check_parameters(spec, parameters.parse(spec, texts))
    values = parameters.with_absolute_folders(values)
    parameters.check_folders(values)
    chosen = next((known for known in execution.MODES if known == mode), execution.mode_of(spec))
    if chosen == "kfp":
        spec, values = caching.for_run(spec, values)
    console = consoles.output()
    with work_lock.hold(work) as folder:
        with RunView(console) as view:
            outcomes = execution.execute(
                spec,
                values,
                folder,
                chosen,
                pipeline_root=root and _absolute(root),
                only_from=only_from,
                on_event=view.on_event,
            )
        _print_outputs(console, outcomes, folder)


def _absolute(folder: str) -> str:
    return folder.rstrip("/") if "://" in folder else str(Path(folder).expanduser().absolute())


def _print_outputs(console: Console, outcomes: Mapping[str, Outcome], folder: Path) -> None:
    """Tells where each output lies; the rest is in the folder's `run.json`."""
    console.print(f"Outputs (with all their properties in {folder / RUN_FILE}):", soft_wrap=True)
    for task, outcome in outcomes.items():
        if outcome.state == "skipped":
            console.print(f"  {task}: skipped, as its condition does not hold")
        for key, listed in outcome.artifacts.items():
            if key == LOGS:
                continue
            for artifact in listed:
                console.print(Text(f"  {task}.{key}: {artifact['uri']}"), soft_wrap=True)
        for key, value in outcome.parameters.items():
            console.print(Text(f"  {task}.{key} = {value!r}"), soft_wrap=True)

"""`hpatches submit`: a compiled pipeline runs on Kubeflow Pipelines or Vertex AI."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

from components.descriptor_trainer.vertex.address import Address
from pipeline.config.platform import TARGETS
from pipeline.submission import following, places, request, training_job
from pipeline.submission.following import RunState, Started
from pipeline.submission.places import Cluster
from pipeline.submission.request import RunRequest
from pipeline.submission.training_job import JobTerms
from pipeline.terminal import consoles
from pipeline.terminal.run_view import RunView
from trainer.core.errors import UserError
from trainer.core.progress import duration

EXIT_INTERRUPTED = 130
_SECONDS_BETWEEN_LOOKS = 10.0
_OF_A_TARGET = {
    "vertex": (),
    "kubeflow": ("host", "namespace", "experiment", "token_file", "ca_cert"),
}


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--target", type=click.Choice(TARGETS), required=True, help="Platform that runs it.")
@click.option(
    "--pipeline-root",
    "root",
    metavar="GS_FOLDER",
    required=True,
    help="Folder in a bucket for what the tasks make.",
)
@click.option(
    "--param",
    "--parameter",
    "texts",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of the run; repeatable.",
)
@click.option("--data", metavar="GS_FOLDER", help="Folder of the data [parameter data_path].")
@click.option(
    "--push", metavar="GS_FOLDER", help="Folder for blessed models [parameter push_destination]."
)
@click.option("--tasks", metavar="GS_FOLDER", help="Published task files [parameter tasks_path].")
@click.option(
    "--project", metavar="ID", help="Google Cloud project, of training jobs, too [project]."
)
@click.option("--location", metavar="REGION", help="Region, e.g. us-central1 [location].")
@click.option(
    "--staging",
    metavar="GS_FOLDER",
    help="Files of training jobs [staging; default: staging in the pipeline root].",
)
@click.option("--service-account", metavar="NAME", help="Account that the tasks run as.")
@click.option(
    "--training-account",
    metavar="EMAIL",
    help="Account of a training job on Vertex AI [default there: --service-account].",
)
@click.option(
    "--network",
    metavar="NETWORK",
    help="VPC of the run on Vertex AI and of its training job: projects/NUMBER/global/networks/N.",
)
@click.option(
    "--host", metavar="URL", help="Kubeflow: where its API is [default: $KF_PIPELINES_ENDPOINT]."
)
@click.option("--namespace", metavar="NAME", help="Kubeflow: the profile's namespace.")
@click.option(
    "--experiment", metavar="NAME", help="Kubeflow: experiment [default: the pipeline's name]."
)
@click.option("--token-file", metavar="FILE", help="Kubeflow: file with a bearer token.")
@click.option("--ca-cert", metavar="FILE", help="Kubeflow: certificate of who signed its own.")
@click.option("--wait", is_flag=True, help="Follow the run to its end; a failed one exits with 2.")
def submit(
    file: str, target: str, root: str, texts: tuple[str, ...], wait: bool, **options: str | None
) -> None:
    """Run a compiled pipeline FILE (see `compile`) on a platform and print its address.

    All that can be checked is checked before anything is uploaded.
    """
    _check_options(target, options)
    place = _place(target, options)
    named = {option: options[option.strip("-")] for option in request.PARAMETERS}
    wanted = request.prepare(file, target, root, texts, named, _job_terms(target, options))
    console = consoles.output()
    with console.status("submitting"):
        started = _start(wanted, place, options)
    console.print(f"Submitted {wanted.name}: {len(wanted.tasks)} tasks.", soft_wrap=True)
    console.print(started.address, soft_wrap=True)
    if not wait:
        return
    began = time.monotonic()
    ended = _follow(console, started, wanted)
    following.conclude(ended, started)
    console.print(f"Succeeded after {duration(time.monotonic() - began)}.")


def _check_options(target: str, options: Mapping[str, Any]) -> None:
    """Refuses options of the other platform."""
    for other, names in _OF_A_TARGET.items():
        for name in names if other != target else ():
            if options[name] is not None:
                raise UserError(
                    f"--{name.replace('_', '-')}: found {options[name]!r}, which only --target "
                    f"{other} has; remove it"
                )


def _place(target: str, options: Mapping[str, Any]) -> Address | Cluster:
    if target == "vertex":
        return places.region(options["project"], options["location"])
    cluster = places.cluster(
        *(options[key] for key in ("host", "namespace", "token_file", "ca_cert"))
    )
    for sentence in places.exposures(cluster, options["token_file"]):
        consoles.tell_warning(sentence)
    return cluster


def _job_terms(target: str, options: Mapping[str, Any]) -> JobTerms:
    """Returns what goes for the training job: on Vertex AI what goes for the run, too."""
    account = training_job.check_account("--training-account", options["training_account"])
    network = training_job.check_network("--network", options["network"])
    only = {"--training-account": account, "--network": network if target != "vertex" else None}
    if target == "vertex":
        own = training_job.check_account("--service-account", options["service_account"])
        account = account or own
    return JobTerms(account, network, tuple(name for name, value in only.items() if value))


def _start(wanted: RunRequest, place: Address | Cluster, options: Mapping[str, Any]) -> Started:
    """Submits; the clients, seconds of imports, are loaded once all else is checked."""
    account = options["service_account"]
    if isinstance(place, Address):
        from pipeline.submission import vertex

        return vertex.submit(wanted, place, account, options["network"])
    from pipeline.submission import kubeflow

    return kubeflow.submit(wanted, place, options["experiment"], account)


def _follow(console: Console, started: Started, wanted: RunRequest) -> RunState:
    try:
        with RunView(console) as view:
            return following.follow(started, wanted.tasks, view, _pause)
    except KeyboardInterrupt:
        consoles.tell_problem(f"Stopped watching; the run goes on: {started.address}")
        click.get_current_context().exit(EXIT_INTERRUPTED)


def _pause() -> None:
    time.sleep(_SECONDS_BETWEEN_LOOKS)

"""`hpatches runs`, `hpatches rollback` and `hpatches clean`."""

from __future__ import annotations

import contextlib
import posixpath
from pathlib import Path

import click

from components.serving.production_model import served_model
from components.serving.pusher import push_log
from pipeline.commands.options import TABLE_OPTION, work_option
from pipeline.runs import clean as cleaning
from pipeline.runs import rollback as rolling_back
from pipeline.runs import work_lock
from pipeline.runs.records import SHOWN_TIME, RunSummary, existing, list_runs, others_in_words
from pipeline.terminal import consoles
from pipeline.terminal.tables import check_table_file, make_table, save_table
from trainer.core.errors import UserError

_work_option = work_option("Work folder of the runs.")


@click.command()
@_work_option
@TABLE_OPTION
def runs(work: str, table_file: str | None) -> None:
    """List what ran, the verdicts and the pushed models, newest first."""
    check_table_file(table_file)
    known = list_runs(existing(work))
    if not known:
        click.echo(f"Nothing has run in {work} yet{others_in_words(work)}.")
        return
    headings = ("started", "config", "took", "components", "mAP in per cent", "verdict", "model")
    table = make_table(f"Runs in {work}", headings, ())
    served = {place: _served_version(place) for place in {run.push_destination for run in known}}
    origins = {
        place: push_log.origin(place, version)
        for place, version in served.items()
        if version is not None
    }
    for run in known:
        table.add_row(
            run.started.astimezone().strftime(SHOWN_TIME),
            run.config_name,
            f"{run.seconds:.0f} s",
            _components(run),
            "\n".join(f"{task} {100 * value:.1f}" for task, value in run.metrics.items()) or "-",
            _verdict(run),
            _model(run, served[run.push_destination], origins.get(run.push_destination)),
        )
    consoles.output().print(table)
    if table_file is not None:
        save_table(table_file, table)


@click.command()
@click.argument("version", type=click.IntRange(min=0))
@_work_option
@click.option(
    "--destination",
    metavar="DIR",
    help="Where models are pushed [default: where the newest run in --work pushes].",
)
def rollback(version: int, work: str, destination: str | None) -> None:
    """Serve an earlier pushed VERSION again (as a new version; nothing is deleted)."""
    if destination is None:
        destination = _newest_destination(existing(work))
    lock = work_lock.hold(work) if Path(work).is_dir() else contextlib.nullcontext()
    with lock:
        served = rolling_back.rollback(destination, version)
    click.echo(
        f"Version {version} is served again, as version {served}: "
        f"{posixpath.join(destination, str(served))}"
    )


@click.command()
@_work_option
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How many of the newest runs to keep.",
)
@click.option("-y", "--yes", is_flag=True, help="Delete without asking.")
def clean(work: str, keep: int, yes: bool) -> None:
    """Show what old runs left behind, ask, and delete it.

    Pushed models and everything that a kept run uses stay.
    """
    if not list_runs(existing(work)):  # perhaps no work folder: leave not even a lock in it
        click.echo(f"Nothing has run in {work} yet{others_in_words(work)}.")
        return
    with work_lock.hold(work):
        planned = cleaning.plan(str(Path(work).absolute()), keep)
        if not planned:
            click.echo(f"Nothing to delete in {work}.")
            return
        for leftover in planned:
            if leftover.bytes:
                click.echo(f"{_size(leftover.bytes):>9}  {leftover.path}  ({leftover.why})")
        empty = sum(not leftover.bytes for leftover in planned)
        if empty:
            click.echo(f"{_size(0):>9}  {empty} folders with nothing in them")
        question = f"Delete these {len(planned)} folders ({_size(planned.total_bytes)})?"
        if not yes and not click.confirm(question):
            click.echo("Nothing was deleted.")
            return
        click.echo(f"Freed {_size(cleaning.delete(planned))}.")


def _newest_destination(work: str) -> str:
    for run in list_runs(work):
        if run.push_destination:
            return run.push_destination
    raise UserError(
        f"{work}: nothing has run there{others_in_words(work)}; name the place of the models with "
        f"--destination"
    )


def _served_version(destination: str) -> int | None:
    """Returns the version in production; None when nothing has been pushed."""
    return max(served_model.versions(destination), default=None)


def _components(run: RunSummary) -> str:
    counts = {
        state: sum(component.state == state for component in run.components)
        for state in ("executed", "cached")
    }
    text = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    broken = [
        f"{component.name} {component.state}"
        for component in run.components
        if component.state in ("failed", "interrupted")
    ]
    return ", ".join(filter(None, (text, *broken))) or "-"


def _verdict(run: RunSummary) -> str:
    if run.error == "interrupted":
        return run.error
    if run.error:
        return f"failed: {run.error}"
    if run.blessed is None:
        return "-"
    if run.blessed:
        return "blessed"
    more = f" (and {len(run.reasons) - 1} more)" if len(run.reasons) > 1 else ""
    return f"not blessed: {run.reasons[0]}{more}" if run.reasons else "not blessed"


def _model(run: RunSummary, served: int | None, origin: int | None) -> str:
    """Names the version that a run pushed; `origin` was pushed for what is served."""
    if run.pushed_version is None:
        return "cleaned" if run.cleaned else "-"
    if run.pushed_version != origin:
        return f"version {run.pushed_version}"
    again = "" if origin == served else f" again, as {served}"
    return f"version {run.pushed_version} (in production{again})"


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"

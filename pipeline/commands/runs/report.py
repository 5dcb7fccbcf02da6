"""`hpatches report`: the report of a run, drawn anew where there is none."""

from __future__ import annotations

import posixpath
import webbrowser
from pathlib import Path

import click

from components.core import files, names
from components.core.files import check_writable
from pipeline.commands.options import work_option
from pipeline.runs import records
from pipeline.runs.records import RunSummary
from pipeline.terminal.work_view import show_progress
from trainer.core.errors import UserError
from trainer.model.names import SERVING_DIR

FOLDER = "reports"
_EVALUATION = (names.EVALUATOR, names.EVALUATION_KEY)
_REPORT_FILE = "report.html"
_VERDICT_FILE = "verdict.json"
_NAMED = 3  # runs that an error lists


@click.command()
@click.option("--run", "run_id", metavar="ID", help="The run [default: the newest evaluated].")
@work_option("Work folder of the run.")
@click.option(
    "--output",
    metavar="FILE",
    help="Write the report there [default: it stays where the run put it].",
)
@click.option(
    "--images",
    metavar="DIR",
    help="Draw anew, with matches on an image pair out of this folder: the run's --data, or of a "
    "patch release its image sequences.",
)
@click.option(
    "--curves",
    "curves_folder",
    metavar="DIR",
    help="Also write precision-recall curves for a paper: one PDF per task in a new folder.",
)
@click.option("--open", "show", is_flag=True, help="Show it in the browser.")
def report(
    run_id: str | None,
    work: str,
    output: str | None,
    images: str | None,
    curves_folder: str | None,
    show: bool,
) -> None:
    """Show what a run found, as one HTML file that needs no network.

    The verdict with its checks, results with intervals, curves, the worst mistakes as
    patches, the training timeline, and all versions and settings. A run keeps its report; for
    one that has none, or with --images, it is drawn.
    """
    if images is not None and not files.is_folder(images):
        raise UserError(f"--images: found no folder {images!r}; expected the data of the run")
    check_writable("--output", output)
    if curves_folder is not None:
        files.check_new_folder(curves_folder)
    summary = chosen_run(work, run_id)
    if curves_folder is not None:
        from components.evaluation_report import paper  # imports Matplotlib

        written = paper.write(summary.output(*_EVALUATION), curves_folder)
        click.echo(f"Curves: {', '.join(written)}")
    kept = report_in(summary.output(names.REPORT, "report"))
    if kept and images is None:
        path = kept
        if output is not None:
            files.write_text(output, files.read_text(kept))
            path = output
    else:
        path = output or posixpath.join(work, FOLDER, f"{summary.run_id}.html")
        files.write_text(path, drawn(summary, images or ""))
    click.echo(f"Report: {path}")
    if show and not webbrowser.open(Path(path).absolute().as_uri()):
        click.echo("No browser could be started; open the file yourself.")


def chosen_run(work: str, run_id: str | None) -> RunSummary:
    """Returns the run that is asked for, or the newest that was evaluated.

    Raises:
        UserError: When there is none, or its evaluation has been deleted.
    """
    known = records.list_runs(records.existing(work))
    evaluated = [run for run in known if run.output(*_EVALUATION)]
    if run_id is None:
        there = [run for run in evaluated if _has_verdict(run)]
        if there:
            return there[0]
        raise UserError(
            f"{work}: no run with an evaluation; `hpatches run --work {work}` makes one"
        )
    for run in evaluated:
        if run.run_id == run_id:
            if not _has_verdict(run):
                raise UserError(
                    f"--run: the evaluation of {run_id} has been deleted; run again, or name "
                    f"another run"
                )
            return run
    names = ", ".join(run.run_id for run in evaluated[:_NAMED]) or "none"
    why = "was not evaluated" if run_id in {run.run_id for run in known} else "is no run"
    raise UserError(
        f"--run: {run_id} {why} in {work}; expected one that was evaluated (newest: {names})"
    )


def report_in(folder: str) -> str:
    """Returns the report in an artifact folder of EvaluationReport; "" when there is none."""
    path = posixpath.join(folder, _REPORT_FILE)
    return path if folder and files.exists(path) else ""


def drawn(summary: RunSummary, images: str) -> str:
    """Draws the report of a run.

    Args:
        summary: The run.
        images: Data folder; "" draws no image pair.

    Raises:
        UserError: When its verdict cannot be read.
    """
    from components.evaluation_report import page  # imports Matplotlib and OpenCV
    from components.evaluation_report.material import Material

    model = summary.output(names.TRAINER, names.MODEL_KEY)
    material = Material(
        evaluation=summary.output(*_EVALUATION),
        examples=summary.output(names.EXAMPLE_GEN, names.EXAMPLES_KEY),
        model=posixpath.join(model, SERVING_DIR) if model else "",
        model_run=summary.output(names.TRAINER, names.MODEL_RUN_KEY),
        images=images,
        name=f"{summary.config_name}, {summary.started.astimezone().strftime(records.SHOWN_TIME)}",
        configuration={"push": {"destination": summary.push_destination}},
    )
    with show_progress():
        return page.draw(material)


def _has_verdict(summary: RunSummary) -> bool:
    folder = summary.output(*_EVALUATION)
    return not summary.cleaned and files.exists(posixpath.join(folder, _VERDICT_FILE))

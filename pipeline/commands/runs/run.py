"""`hpatches run`: the whole pipeline on this machine."""

from __future__ import annotations

import contextlib
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from components.core import files, names
from components.datasets.catalogue import command_for
from components.descriptor_evaluator.gate import verdict
from components.example_gen.formats import demo_photographs
from components.example_gen.registry import PHOTOS
from pipeline import preflight
from pipeline.commands.options import Choice, config_options
from pipeline.commands.runs.report import report_in
from pipeline.config.tree import PipelineConfig
from pipeline.events import Event
from pipeline.runs import lookup, metadata_db, records, relocation, work_lock
from pipeline.runs.recorder import RunRecorder
from pipeline.terminal import consoles
from pipeline.terminal.report import Report, print_report
from pipeline.terminal.run_view import RunView
from pipeline.terminal.user_errors import find_user_error
from trainer.core import progress
from trainer.core.errors import UserError
from trainer.core.importing import importing
from trainer.model.names import SERVING_DIR

if TYPE_CHECKING:
    from pipeline.runners import local

EXIT_NOT_BLESSED = 3
_PATTERN_MARKS = "*?["


@click.command()
@config_options
@click.option(
    "--require-blessing", is_flag=True, help="Exit with 3 when the model was not blessed."
)
def run(choice: Choice, require_blessing: bool) -> None:
    """Run the pipeline: images, patches, training, evaluation, gate, push.

    Without options it trains on photographs that are installed with the program. What was
    done before in the same work folder is not done again.
    """
    config = _with_newest_models(choice.resolve())
    data_folder = _checked(config)  # before anything is written
    console = consoles.output()
    if data_folder is None:
        console.print("No --data: the photographs that are installed with the program are used.")
    with work_lock.hold(config.work_dir) as folder:
        config = _with_absolute_paths(config, folder, data_folder)
        if data_folder is None:
            preflight.check_data(config, str(config.data.path))
        begun_again = metadata_db.prepare(folder)
        if begun_again:
            console.print(Text(begun_again), soft_wrap=True)
        recorder = RunRecorder(config, choice.name)
        earlier = records.seconds_by_component(config.work_dir)
        try:
            with RunView(console, earlier) as view, progress.listen(view.on_progress):
                report = _run(config, view, recorder)
        except BaseException as error:  # Ctrl-C, too: the record says how the run ended
            mistake = find_user_error(error) if isinstance(error, Exception) else None
            with contextlib.suppress(UserError):  # the first error is the one to tell
                recorder.write_failure(mistake or error)
            raise
    print_report(console, report)
    if require_blessing and not report.verdict.blessed:
        click.get_current_context().exit(EXIT_NOT_BLESSED)


def _run(config: PipelineConfig, view: RunView, recorder: RunRecorder) -> Report:
    view.say("loading TensorFlow")
    with importing():  # seconds: only once all else is checked
        from pipeline.runners import local
        from trainer.data import manifest
        from trainer.reporting import result as training_result

    def on_event(event: Event) -> None:
        recorder.on_event(event)
        view.on_event(event)

    relocation.adopt(config.work_dir)
    result = local.run(config, on_event=on_event)
    pushed_model = result.artifact(names.PUSHER, "pushed_model").custom_properties
    pushed = bool(pushed_model["pushed"].int_value)
    pushed_now = pushed and result.states[names.PUSHER] == "finished"
    examples = manifest.read(result.uri(names.EXAMPLE_GEN, names.EXAMPLES_KEY))
    model_run = result.uri(names.TRAINER, names.MODEL_RUN_KEY)
    trained = training_result.read(model_run)
    judged = verdict.read(result.uri(names.EVALUATOR, names.EVALUATION_KEY))
    try:
        recorder.write_success(
            result,
            judged,
            examples.checksum,
            pushed_model["production_version"].int_value if pushed_now else None,
        )
    except UserError as error:
        where = pushed_model["production_path"].string_value
        done = f"the model is pushed ({where})" if pushed_now else "the run is done"
        raise UserError(f"{done}, but not its record for `hpatches runs`: {error}") from error
    return Report(
        verdict=judged,
        skipped=[(item.name, item.reason) for item in examples.skipped],
        training=training_result.not_as_planned(trained),
        remarks=examples.remarks,
        pushed=pushed_now,
        not_pushed_reason="an earlier run did" if pushed else pushed_model["reason"].string_value,
        production_path=pushed_model["production_path"].string_value,
        candidate_path=files.join(result.uri(names.TRAINER, names.MODEL_KEY), SERVING_DIR),
        page=_page(result),
        # The folder above: one run of TensorBoard for each training, to compare them.
        curves=posixpath.dirname(model_run.rstrip("/")),
    )


def _page(result: local.RunResult) -> str:
    """Returns the report's file; "" when the run drew none."""
    reports = result.outputs.get(names.REPORT, {}).get("report", [])
    return report_in(reports[0].uri) if reports else ""


def _checked(config: PipelineConfig) -> str | None:
    """Returns the data folder, absolute; None for the photographs that come with the program.

    Raises:
        UserError: When data, work folder or push destination cannot be used.
    """
    work = Path(config.work_dir).expanduser().absolute()
    if any(mark in str(work) for mark in _PATTERN_MARKS):
        raise UserError(
            f"work_dir: {work} has one of {' '.join(_PATTERN_MARKS)} in its name, which TFX takes "
            f"for a pattern of names; choose another folder with --work"
        )
    files.check_folder("work_dir", config.work_dir)
    files.check_folder("push.destination", config.push_destination)
    path = config.data.path
    if path is None:
        if config.data.format != PHOTOS:
            raise UserError(
                f"data.path: not set, and only the format photos comes with data of its own; "
                f"found {config.data.format}, expected its folder with --data DIR"
                + _how_to_get(config.data.format)
            )
        return None
    if "://" not in path:
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            raise UserError(
                f"data.path: found no folder {path!r}; expected the folder of the data"
                + _how_to_get(config.data.format)
            )
        path = str(folder)
    preflight.check_data(config, path)
    return path


def _how_to_get(format: str) -> str:
    command = command_for(format)
    return f" (`{command}` downloads HPatches' own)" if command else ""


def _with_newest_models(config: PipelineConfig) -> PipelineConfig:
    """Takes the newest pushed model for a reference that is a work folder or a destination."""
    references = {
        name: item.model_copy(update={"model": lookup.model(item.model)}) if item.model else item
        for name, item in config.evaluation.references.items()
    }
    evaluation = config.evaluation.model_copy(update={"references": references})
    return config.model_copy(update={"evaluation": evaluation})


def _with_absolute_paths(config: PipelineConfig, folder: Path, data: str | None) -> PipelineConfig:
    """Makes paths independent of where the command was started.

    Artifacts are found again, in the cache, by their absolute paths.
    """
    if data is None:
        data = str(folder / "photographs")
        demo_photographs.materialise(data)
    push = config.push
    if push.destination is not None and "://" not in push.destination:
        destination = str(Path(push.destination).expanduser().absolute())
        push = push.model_copy(update={"destination": destination})
    return config.model_copy(
        update={
            "work_dir": str(folder),
            "data": config.data.model_copy(update={"path": data}),
            "push": push,
        }
    )

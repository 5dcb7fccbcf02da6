"""What the arguments of `hpatches compare` mean.

A name of a handcrafted descriptor, a SavedModel, a CSV tree of descriptors, a stored result, or a
work folder: its newest run that was evaluated, or the one named behind an `@`.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.core import files
from components.core.names import EVALUATION_KEY, EVALUATOR, MODEL_KEY, TRAINER
from components.descriptor_evaluator.descriptors import handcrafted
from components.descriptor_evaluator.descriptors.describer import Describer
from components.descriptor_evaluator.scoring import result_files
from pipeline.runs import lookup, records
from trainer.core.errors import UserError
from trainer.model.names import SAVED_MODEL_FILE, SERVING_DIR

if TYPE_CHECKING:
    from components.descriptor_evaluator.descriptors.describer import Describer

_EXPECTED = (
    "expected a SavedModel, a folder of descriptors (CSV), a result of `hpatches evaluate --rows`, "
    "a work folder (or WORK@RUN), or the name of a handcrafted descriptor"
)


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        name: As the user gave it.
        describer: What can be scored on data; None for a stored result that no model is left of.
        result: Folder of a stored result; empty when there is none.
    """

    name: str
    describer: Describer | None
    result: str = ""


def resolve(argument: str, trusted: bool = False) -> Side:
    """Finds out what an argument is; a model is loaded as `trusted` says.

    Raises:
        UserError: When it is nothing that can be compared.
    """
    if argument in handcrafted.BASELINES:
        return Side(argument, Describer(argument, baseline=argument))
    folder, run = _split(argument)
    if run or files.is_folder(posixpath.join(folder, records.FOLDER)):
        return _of_run(argument, folder, run, trusted)
    if not files.is_folder(folder):
        there = "a file" if files.exists(folder) else "nothing"
        raise UserError(f"{argument}: found {there}, {_EXPECTED}")
    model = lookup.model(folder)
    if files.exists(posixpath.join(model, SAVED_MODEL_FILE)):
        return Side(argument, Describer(argument, model=model, trusted=trusted))
    if result_files.is_stored(folder):
        return Side(argument, None, folder)
    if any(
        files.exists(posixpath.join(folder, name, "ref.csv")) for name in files.list_folder(folder)
    ):
        return Side(argument, Describer(argument, descriptors=folder))
    raise UserError(f"{argument}: holds nothing to compare, {_EXPECTED}")


def _split(argument: str) -> tuple[str, str]:
    """Splits WORK@RUN; a path that is there or whose last `@` stands in a folder is no such."""
    work, mark, run = argument.rpartition("@")
    if not mark or "/" in run or files.is_folder(argument) or files.exists(argument):
        return argument.rstrip("/"), ""
    return work.rstrip("/"), run


def _of_run(argument: str, work: str, wanted: str, trusted: bool) -> Side:
    """Returns the evaluation and the model of a run."""
    known = records.list_runs(work)
    for summary in known:
        evaluation = summary.output(EVALUATOR, EVALUATION_KEY)
        if (wanted and summary.run_id != wanted) or not evaluation:
            continue
        if summary.cleaned or not result_files.is_stored(evaluation):
            raise UserError(
                f"{argument}: the evaluation of run {summary.run_id} has been deleted; run again, "
                f"or name another run (`hpatches runs --work {work}` lists them)"
            )
        model = summary.output(TRAINER, MODEL_KEY)
        path = posixpath.join(model, SERVING_DIR) if model else ""
        there = path and files.exists(posixpath.join(path, SAVED_MODEL_FILE))
        model_of_run = Describer(argument, model=path, trusted=trusted) if there else None
        return Side(argument, model_of_run, evaluation)
    if wanted and wanted in {summary.run_id for summary in known}:
        raise UserError(f"{argument}: run {wanted} was not evaluated; name another run")
    which = f"no run {wanted}" if wanted else "no run that was evaluated"
    raise UserError(f"{argument}: {which} in {work}; `hpatches runs --work {work}` lists its runs")

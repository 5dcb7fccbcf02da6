"""Precision-recall curves as PDF, for a paper: a file per task, a panel per noise level."""

from __future__ import annotations

from components.core import files
from components.core.names import MATCHING, PAIR_SETS, RETRIEVAL, VERIFICATION
from components.evaluation_report import figures
from components.evaluation_report.material import Material, NotShownError, in_order
from components.evaluation_report.sections import curves
from trainer.core.errors import UserError
from trainer.core.variants import NOISE_NAMES

_WIDTH, _HEIGHT = 7.0, 2.3  # inches: the two columns of a conference paper
_FILES = {
    "matching.pdf": (MATCHING, ""),
    "retrieval.pdf": (RETRIEVAL, ""),
    **{f"verification-{pairs}.pdf": (VERIFICATION, pairs) for pairs in PAIR_SETS},
}


def write(evaluation: str, folder: str) -> list[str]:
    """Draws the curves that an evaluation has kept.

    Args:
        evaluation: DescriptorEvaluator's output.
        folder: New or empty folder.

    Returns:
        The files.

    Raises:
        UserError: When the evaluation has kept none, or the folder cannot be written.
    """
    try:
        exhibits = Material(evaluation).exhibits
    except NotShownError as error:
        raise UserError(f"{evaluation}: has no curves: {error}") from error
    drawn = {name: _drawn(exhibits, *what) for name, what in _FILES.items()}
    written = {name: content for name, content in drawn.items() if content is not None}
    if not written:
        raise UserError(f"{evaluation}: has no curves; expected those of at least one task")
    with files.new_folder(folder) as staging:
        for name, content in written.items():
            files.write_bytes(files.join(staging, name), content)
    return [files.join(folder, name) for name in written]


def _drawn(exhibits: curves.Exhibits, task: str, pair_set: str) -> bytes | None:
    """Returns the PDF of one task; None when it was not measured."""
    by_noise = {
        noise: lines
        for noise, lines in curves.precisions(exhibits, task, pair_set).items()
        if lines
    }
    if not by_noise:
        return None
    shown = figures.looks(in_order(list(exhibits)))
    figure, panels = figures.panel(_WIDTH, _HEIGHT, columns=len(by_noise))
    for axes, (noise, lines) in zip(panels, by_noise.items(), strict=True):
        for name in reversed(in_order(list(lines))):  # the model on top
            curves.draw_precision(axes, lines[name], shown[name])
        axes.set_title(NOISE_NAMES[noise])
    for axes in panels[1:]:
        axes.set_ylabel("")
    handles, labels = panels[0].get_legend_handles_labels()
    panels[0].legend(handles[::-1], labels[::-1], frameon=False, fontsize=7.5, loc="lower left")
    return figures.to_pdf(figure)

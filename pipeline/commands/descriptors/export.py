"""`hpatches export`: a SavedModel to a file for another runtime."""

from __future__ import annotations

import click

from pipeline.commands.options import TRUST_OPTION, model_option
from pipeline.terminal.work_view import show_progress

FORMATS = ("onnx", "tflite", "tflite-float16", "tflite-int8", "torch")


@click.command()
@model_option("The model to export.", required=True)
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    required=True,
    help="ONNX (onnxruntime, OpenCV), TFLite, or PyTorch (code, with its weights beside it).",
)
@click.option(
    "--output",
    metavar="FILE",
    required=True,
    help="The file to write: .onnx, .tflite or .py; another export there is replaced.",
)
@click.option(
    "--size",
    type=click.Choice(("65", "32")),
    default="65",
    show_default=True,
    help="Pixels on a side of the patches it takes (PyTorch: any).",
)
@click.option(
    "--data",
    metavar="DIR",
    help="HPatches patch release that it is compared on, and int8 calibrated on "
    "[default: photographs that scikit-image ships].",
)
@TRUST_OPTION
def export(
    model: str, format: str, output: str, size: str, data: str | None, trusted: bool
) -> None:
    """Write a model for programs without TensorFlow.

    It takes uint8 patches, any number at once; resizing and normalisation are inside, and what
    the model says of itself goes with it. Nothing is written unless it describes real patches as
    the SavedModel does (to 1e-4); of float16 and int8 the matching mAP they lose is measured.
    """
    from components.model_export import export as model_export  # imports SciPy

    with show_progress():
        compared = model_export.export_model(
            model, format, output, size=int(size), data=data, trusted=trusted
        )
    for one in compared:
        click.echo(
            f"Compared on {one.patches} patches ({one.origin}) by {one.by}: largest difference "
            f"{one.max_difference:.1e}"
        )
        if one.matching_map:
            before, after = one.matching_map["saved_model"], one.matching_map["export"]
            click.echo(
                f"Matching mAP {100 * after:.2f}, of the SavedModel {100 * before:.2f}: "
                f"{100 * one.matching_map['lost']:.2f} points lost"
            )
    click.echo(f"Wrote {output}")

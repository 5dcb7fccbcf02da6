"""From a SavedModel to a file for another runtime, which appears when it says the same."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from components.core import area_resize, files
from components.descriptor_evaluator.descriptors import exported, saved_model
from components.descriptor_evaluator.protocol import matching
from components.model_export import network as networks
from components.model_export import patches as real_patches
from components.model_export.network import Network
from trainer.core import progress
from trainer.core.errors import UserError

SUFFIXES = {
    "onnx": ".onnx",
    "tflite": ".tflite",
    "tflite-float16": ".tflite",
    "tflite-int8": ".tflite",
    "torch": ".py",
}
"""Formats, and how the names of their files end."""

SIZES = (65, 32)
_ROUNDED = ("tflite-float16", "tflite-int8")
_TOLERANCE = 1e-4  # largest difference of a number of a descriptor, where nothing is rounded
_BATCH = 1024
_WEIGHTS = ".safetensors"
Describe = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """An exported model beside its SavedModel, on real patches.

    Attributes:
        patches: How many.
        origin: Where they come from.
        by: What ran the export.
        max_difference: Largest difference of a number of a descriptor.
        matching_map: Matching mAP of the SavedModel and of the export, 0..1, and what was
            lost; empty where nothing is rounded.
    """

    patches: int
    origin: str
    by: str
    max_difference: float
    matching_map: dict[str, float]


def check_output(format: str, output: str) -> None:
    """Refuses a place for the export before the work.

    Raises:
        UserError: When its name does not end as the format's, or it cannot be written.
    """
    expected = SUFFIXES[format]
    if PurePosixPath(output).suffix.lower() != expected:
        raise UserError(f"--output: {output} does not end in {expected}, as {format} files do")
    if format == "torch" and not PurePosixPath(output).stem.isidentifier():
        raise UserError(
            f"--output: {output} cannot be imported by Python, expected a name of letters, digits "
            f"and underscores"
        )
    files.check_writable("--output", output)


def export_model(
    model: str,
    format: str,
    output: str,
    *,
    size: int = SIZES[0],
    data: str | None = None,
    trusted: bool = False,
) -> list[Comparison]:
    """Writes a SavedModel in a format for another runtime, and says how near it comes.

    Args:
        model: Folder of a SavedModel of this project.
        format: One of `SUFFIXES`.
        output: File to write; for `torch` the weights go beside it.
        size: Pixels on a side of the patches that it takes, one of `SIZES`; `torch` takes any.
        data: HPatches patch release that calibrates int8 and is compared on; None for
            photographs that are installed.
        trusted: As for `saved_model.load_model`.

    Returns:
        A comparison per runtime that ran it.

    Raises:
        UserError: When the model is none of this project, the data cannot be read, or the
            export describes patches otherwise than the SavedModel. Nothing is then written.
    """
    check_output(format, output)
    network = networks.load(model)
    reference = saved_model.load_model(model, trusted)
    real = real_patches.load(data, network.identity)
    if format == "tflite-int8" and not len(real.calibration):
        raise UserError(
            f"{real.origin}: holds one image sequence with points, expected at least two: int8 is "
            f"calibrated on some and measured on others"
        )
    progress.report(f"exporting {format}", 0)
    content, runtimes = _build(network, format, size, real.calibration, output)
    all_compared = []
    for by, describe in runtimes.items():
        compared = _compare(reference, describe, real, size, by, format in _ROUNDED)
        _refuse_if_different(output, compared, format)
        all_compared.append(compared)
    export = {"format": format, "input_size": size, "compared": [vars(c) for c in all_compared]}
    _write(output, format, network, content, {**network.identity, "export": export})
    return all_compared


def _build(
    network: Network, format: str, size: int, calibration: np.ndarray, output: str
) -> tuple[bytes, dict[str, Describe]]:
    """Returns the file without metadata, and what describes with it, by the runtime's name."""
    if format == "torch":
        from components.model_export import torch_file

        content = torch_file.weights(network, network.identity)
        if importlib.util.find_spec("torch") is None:
            by = "TensorFlow, with the exported weights"
            return content, {by: torch_file.in_tensorflow(content, network, size)}
        return content, {"PyTorch": torch_file.in_pytorch(content)}
    if format == "onnx":
        from components.model_export import onnx_file

        content = onnx_file.build(network, size)
        session = exported.load(content, exported.ONNX, output)
        return content, {"onnxruntime": session.run, "OpenCV": onnx_file.with_opencv(content)}
    from components.model_export import tflite_file

    precision = format.partition("-")[2] or "float32"
    small = area_resize.resize(calibration, size)
    content = tflite_file.build(network, size, precision, small)  # type: ignore[arg-type]
    return content, {"TFLite": exported.load(content, exported.TFLITE, output).run}


def _compare(
    reference: saved_model.DescriptorModel,
    describe: Describe,
    real: real_patches.RealPatches,
    size: int,
    by: str,
    rounded: bool,
) -> Comparison:
    """Describes patches with both, and scores matching where the export rounds."""
    theirs, ours, difference, count = {}, {}, 0.0, 0
    for number, (name, patches) in enumerate(real.compared.items()):
        progress.report("comparing", number, len(real.compared), name)
        flat = area_resize.resize(patches.reshape(-1, *patches.shape[2:]), size)
        shaped = flat.reshape(*patches.shape[:2], size, size)
        ours[name] = saved_model.describe_patches(reference, shaped)
        rows = [describe(flat[start : start + _BATCH]) for start in range(0, len(flat), _BATCH)]
        by_point = np.concatenate(rows).reshape(*patches.shape[:2], -1)
        theirs[name] = np.ascontiguousarray(by_point.swapaxes(0, 1))
        # np.maximum, not max: a difference that is not a number stays.
        difference = float(np.maximum(difference, np.abs(theirs[name] - ours[name]).max()))
        count += len(flat)
    scores = {}
    if rounded and np.isfinite(difference):
        before, after = (matching.mean_average_precision(one)["mean"] for one in (ours, theirs))
        scores = {"saved_model": before, "export": after, "lost": before - after}
    return Comparison(count, real.origin, by, difference, scores)


def _refuse_if_different(output: str, compared: Comparison, format: str) -> None:
    limit = np.inf if format in _ROUNDED else _TOLERANCE
    if np.isfinite(compared.max_difference) and compared.max_difference <= limit:
        return
    raise UserError(
        f"{output}: not written, as {compared.by} describes {compared.patches} patches differently "
        f"from the SavedModel (largest difference {compared.max_difference:.2g}, expected at most "
        f"{limit:g}); report this"
    )


def _write(
    output: str, format: str, network: Network, content: bytes, metadata: dict[str, Any]
) -> None:
    if format == "torch":
        from components.model_export import torch_file

        weights = str(PurePosixPath(output).with_suffix(_WEIGHTS))
        files.write_bytes(weights, torch_file.weights(network, metadata))
        files.write_bytes(output, torch_file.module())
    elif format == "onnx":
        from components.model_export import onnx_file

        files.write_bytes(output, onnx_file.with_metadata(content, metadata))
    else:
        from components.model_export import tflite_file

        files.write_bytes(output, tflite_file.with_metadata(content, metadata))

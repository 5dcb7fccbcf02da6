"""Models that `hpatches export` wrote for onnxruntime and TFLite, run without TensorFlow."""

from __future__ import annotations

import io
import textwrap
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from components.core import area_resize, files
from trainer.core.errors import UserError
from trainer.model.names import IDENTITY_NAME, OUTPUT, PATCHES_INPUT

ONNX, TFLITE = ".onnx", ".tflite"
METADATA = "descriptor"  # key of an ONNX file's metadata
Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ExportedModel:
    """A model in the memory of a foreign runtime.

    Attributes:
        size: Pixels on a side of a patch that it takes.
        run: uint8 [N, size, size] to float32 [N, D], N at least 1.
        identity: What the file says of itself, as a JSON text; None when it says nothing.
    """

    size: int
    run: Run
    identity: str | bytes | None

    def describe(self, patches: np.ndarray) -> np.ndarray:
        """Describes patches of any size: uint8 [N, h, w] to float32 [N, D], N at least 1."""
        return self.run(area_resize.resize(patches, self.size))


def is_exported(path: str) -> bool:
    """Whether a name is that of an exported file, not of a SavedModel's folder."""
    return PurePosixPath(path).suffix.lower() in (ONNX, TFLITE)


def read(path: str) -> ExportedModel:
    """Loads an exported model.

    Args:
        path: File that ends in .onnx or .tflite, local or `gs://`.

    Raises:
        UserError: When it cannot be read or is no model of patches.
    """
    return load(files.read_bytes(path), PurePosixPath(path).suffix.lower(), path)


def load(content: bytes, kind: str, path: str) -> ExportedModel:
    """Loads an exported model from the content of its file.

    Args:
        content: The file's.
        kind: `ONNX` or `TFLITE`.
        path: Where it comes from, for the messages.

    Raises:
        UserError: As `read` does.
    """
    try:
        return _load_onnx(content, path) if kind == ONNX else _load_tflite(content, path)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # both runtimes raise many kinds for a damaged file
        told = textwrap.shorten(" ".join(str(error).split()), 160, placeholder=" ...")
        raise UserError(
            f"{path}: cannot be loaded as a {kind[1:]} model ({told}); export it again"
        ) from error


def _load_onnx(content: bytes, path: str) -> ExportedModel:
    onnxruntime = _import("onnxruntime", path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        content, options, providers=onnxruntime.get_available_providers()
    )
    given = {entry.name: entry for entry in session.get_inputs()}
    gives = {entry.name: entry for entry in session.get_outputs()}
    if (
        list(given) != [PATCHES_INPUT]
        or OUTPUT not in gives
        or given[PATCHES_INPUT].type != "tensor(uint8)"
    ):
        raise _foreign(path, list(given), list(gives))
    return ExportedModel(
        _side(path, given[PATCHES_INPUT].shape),
        lambda patches: session.run([OUTPUT], {PATCHES_INPUT: np.ascontiguousarray(patches)})[0],
        session.get_modelmeta().custom_metadata_map.get(METADATA),
    )


def _load_tflite(content: bytes, path: str) -> ExportedModel:
    interpreter = _interpreter(path)(model_content=content)
    given, gives = interpreter.get_input_details(), interpreter.get_output_details()
    if len(given) != 1 or len(gives) != 1 or given[0]["dtype"] != np.uint8:
        raise _foreign(path, [one["name"] for one in given], [one["name"] for one in gives])
    place, result = given[0]["index"], gives[0]["index"]

    def run(patches: np.ndarray) -> np.ndarray:
        if list(interpreter.get_input_details()[0]["shape"]) != list(patches.shape):
            interpreter.resize_tensor_input(place, patches.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(place, np.ascontiguousarray(patches))
        interpreter.invoke()
        return interpreter.get_tensor(result)

    interpreter.allocate_tensors()
    return ExportedModel(_side(path, given[0]["shape"]), run, _packed(content))


def _packed(content: bytes) -> bytes | None:
    """Returns the identity that is packed behind a TFLite model, as a ZIP archive."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return None
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(IDENTITY_NAME) if IDENTITY_NAME in archive.namelist() else None


def _interpreter(path: str) -> Any:
    """Returns LiteRT's interpreter, or TensorFlow's, which is the same program."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError:
        return _import("tensorflow", path, "ai-edge-litert").lite.Interpreter
    return Interpreter


def _import(name: str, path: str, package: str = "") -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{path}: needs the package {package or name}, which is not installed; "
            f"`pip install {package or name}`"
        ) from error


def _side(path: str, shape: Any) -> int:
    if len(shape) != 3 or shape[1] != shape[2] or not isinstance(shape[1], int | np.integer):
        raise UserError(
            f"{path}: takes arrays of shape {list(shape)}, expected square patches [N, h, h]"
        )
    return int(shape[1])


def _foreign(path: str, given: list[str], gives: list[str]) -> UserError:
    return UserError(
        f"{path}: maps {', '.join(given)} to {', '.join(gives)}, expected uint8 {PATCHES_INPUT} "
        f"to {OUTPUT}; `hpatches export` writes such files"
    )

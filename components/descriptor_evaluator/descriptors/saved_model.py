"""Describing patches with a SavedModel, whoever trained it, or with what was exported from one.

TensorFlow is imported inside the functions: commands that need no model start without it, and
exported files (`exported`) run without.
"""

from __future__ import annotations

import errno
import json
import textwrap
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.core import files
from components.descriptor_evaluator.descriptors import csv_tree, exported, safe_ops
from components.example_gen.formats import reading
from components.example_gen.registry import STRIPS
from components.example_gen.settings import DataSettings
from trainer.core import progress
from trainer.core.documents import read_json
from trainer.core.errors import UserError
from trainer.core.variants import PATCH_SIZE, TRAIN, VAL
from trainer.model.names import (
    IDENTITY_FILE,
    IDENTITY_NAME,
    OUTPUT,
    PATCHES_INPUT,
    SAVED_MODEL_FILE,
    SERVING_SIGNATURE,
)

_BATCH = 1024  # 256 is a little quicker on some CPUs and slower on others


@dataclass(frozen=True)
class DescriptorModel:
    """A loaded model.

    Attributes:
        path: Folder of the SavedModel, or exported file.
        describe: uint8 [N, h, w] to an array that should be float32 [N, D]; N at least 1.
        identity: Content of `assets.extra/descriptor.json`; None for a model without.
    """

    path: str
    describe: Callable[[np.ndarray], np.ndarray]
    identity: dict[str, Any] | None


def load_model(path: str, trusted: bool = False) -> DescriptorModel:
    """Loads a SavedModel with our serving signature, or an exported file.

    Args:
        path: Folder of the SavedModel, or file that ends in .onnx or .tflite; local or `gs://`.
        trusted: Load a SavedModel whatever it does; see `safe_ops`. Exported files can do no
            more than compute.

    Raises:
        UserError: When there is none, it is damaged, it could do more than compute, or its
            signature is not uint8 `patches` [N, 65, 65] (or any size) -> float32 `descriptors`
            [N, D].
        OSError: When the machine fails (a full disk); likewise `MemoryError` and
            TensorFlow's `ResourceExhaustedError` and `UnavailableError`.
    """
    if exported.is_exported(path):
        model = exported.read(path)
        return DescriptorModel(path, model.describe, _identity_of_file(path, model))
    check_folder(path)
    try:
        import tensorflow as tf
    except ModuleNotFoundError as error:
        raise UserError(
            f"{path}: a SavedModel needs TensorFlow, which is not installed; install it, or give a "
            f"file that `hpatches export` wrote (.onnx, .tflite)"
        ) from error

    try:
        if not trusted:
            safe_ops.check(path)
        loaded = tf.saved_model.load(path)
    except (UserError, MemoryError, tf.errors.ResourceExhaustedError, tf.errors.UnavailableError):
        raise
    except Exception as error:  # damaged protos, missing variables, unknown operations
        if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
            raise  # the machine's; of a damaged file TensorFlow raises one without a number
        raise UserError(
            f"{path}: cannot be loaded as a SavedModel ({_first_line(error)}); export it again"
        ) from error
    signatures = getattr(loaded, "signatures", {})
    if SERVING_SIGNATURE not in signatures:
        known = ", ".join(sorted(signatures)) or "none"
        raise UserError(
            f"{path}: has the signatures {known}, expected {SERVING_SIGNATURE} from uint8 "
            f"{PATCHES_INPUT} [N, {PATCH_SIZE}, {PATCH_SIZE}] to float32 {OUTPUT} [N, D]"
        )
    serve = signatures[SERVING_SIGNATURE]
    _check_signature(path, serve)
    return DescriptorModel(path, _serving(path, loaded, serve), read_identity(path))


def _serving(path: str, loaded: Any, serve: Any) -> Callable[[np.ndarray], np.ndarray]:
    import tensorflow as tf

    def describe(patches: np.ndarray) -> np.ndarray:
        try:
            return serve(**{PATCHES_INPUT: tf.constant(patches)})[OUTPUT].numpy()
        except tf.errors.InvalidArgumentError as error:
            height, width = patches.shape[1:]
            raise UserError(
                f"{path}: cannot describe patches of {height}x{width} ({_first_line(error)})"
            ) from error

    describe.loaded = loaded  # type: ignore[attr-defined]  # its variables must outlive it
    return describe


def check_folder(path: str) -> None:
    """Looks, without loading TensorFlow for local paths, whether there is a model at all.

    Raises:
        UserError: When there is neither a SavedModel nor an exported file.
    """
    if exported.is_exported(path):
        if not files.exists(path) or files.is_folder(path):
            raise UserError(f"{path}: is no file, expected a model that `hpatches export` wrote")
        return
    if not files.exists(files.join(path, SAVED_MODEL_FILE)):
        raise UserError(f"{path}: holds no saved_model.pb, expected the folder of a SavedModel")


def describe_patches(
    model: DescriptorModel, patches: np.ndarray, batch_size: int = _BATCH
) -> np.ndarray:
    """Describes the patches of an image sequence, float32 [16, N, D].

    Args:
        model: As `load_model` returned it.
        patches: uint8 [N, 16, h, w].
        batch_size: Patches per call of the model.

    Raises:
        UserError: When the model cannot describe patches of this size, or gives anything
            but one row of numbers per patch.
    """
    count, variants = patches.shape[:2]
    flat = patches.reshape(count * variants, *patches.shape[2:])
    result: np.ndarray | None = None
    for start in range(0, len(flat), batch_size):
        block = flat[start : start + batch_size]
        rows = model.describe(block)
        if rows.ndim != 2 or len(rows) != len(block) or not rows.shape[1]:
            raise UserError(
                f"{model.path}: gave an array of shape {rows.shape} for {len(block)} patches, "
                f"expected one row of numbers per patch"
            )
        if result is None:
            result = np.empty((len(flat), rows.shape[1]), np.float32)
        result[start : start + len(block)] = rows
    assert result is not None, "an image sequence has at least one patch"
    return np.ascontiguousarray(result.reshape(count, variants, -1).swapaxes(0, 1))


def describe_release(
    model_path: str, data: str, output: str, trusted: bool = False
) -> dict[str, Any]:
    """Writes the descriptors of a patch release as the HPatches benchmark's CSV tree.

    The model's identity goes beside the image sequences.

    Returns:
        `sequences`, `patches`, `dimension` and `output`.

    Raises:
        UserError: When input cannot be used or the output is there already; then nothing
            is left at `output`.
    """
    target = output.rstrip("/")
    settings = DataSettings(format=STRIPS)
    patches = dimension = 0
    with files.new_folder(target) as folder:
        inputs, _ = reading.list_sequences(STRIPS, data, settings)
        model = load_model(model_path, trusted)
        for number, item in enumerate(inputs):
            described = describe_patches(model, reading.load_sequence(item, settings).patches)
            csv_tree.write_sequence(folder, item.name, described)
            patches, dimension = (
                patches + described.shape[0] * described.shape[1],
                described.shape[2],
            )
            progress.report("describing patches", number + 1, len(inputs), item.name)
        if model.identity is not None:
            text = json.dumps(model.identity, indent=1) + "\n"
            files.write_bytes(files.join(folder, IDENTITY_NAME), text.encode())
    return {
        "sequences": len(inputs), "patches": patches, "dimension": dimension, "output": target,
    }  # fmt: skip


def read_identity(path: str) -> dict[str, Any] | None:
    """Reads what a SavedModel, or an exported file, says of itself; None when nothing.

    Raises:
        UserError: When the file is there but is no JSON object, or its `sequences` or
            `scenes` are not lists of names by split.
    """
    if exported.is_exported(path):
        check_folder(path)
        return _identity_of_file(path, exported.read(path))
    return _read_identity_file(files.join(path, IDENTITY_FILE))


def _identity_of_file(path: str, model: exported.ExportedModel) -> dict[str, Any] | None:
    return None if model.identity is None else _checked_identity(path, model.identity)


def read_identity_of_descriptors(folder: str) -> dict[str, Any] | None:
    """Reads the identity that `describe_release` left beside descriptors."""
    return _read_identity_file(files.join(folder, IDENTITY_NAME))


def refuse_if_trained_on(
    identity: Mapping[str, Any] | None, names: Collection[str], scenes: Collection[str]
) -> None:
    """Refuses to score a model on what it was trained on.

    Four of the public Oxford scenes (i_leuven, v_bark, v_graffiti, v_wall) are HPatches
    sequences under the same names, so that a comparison by name finds them.
    A model of which nothing is known (None) passes.

    Raises:
        UserError: When training or validation used one of them.
    """
    if identity is None:
        return
    used = [
        {name for split in (TRAIN, VAL) for name in identity.get(key, {}).get(split, ())}
        for key in ("sequences", "scenes")
    ]
    both = sorted((set(names) & used[0]) | (set(scenes) & used[1]))
    if both:
        more = f" and {len(both) - 5} more" if len(both) > 5 else ""
        raise UserError(
            f"the model was trained on {', '.join(both[:5])}{more}, which it would be scored on; "
            f"choose a split without them, or a model that was not trained on them"
        )


def _read_identity_file(path: str) -> dict[str, Any] | None:
    if not files.exists(path):
        return None
    return _checked_identity(path, files.read_text(path))


def _checked_identity(path: str, text: str | bytes) -> dict[str, Any]:
    try:
        content = read_json(text)
    except ValueError as error:
        raise UserError(f"{path}: is not JSON ({error}), expected the model's identity") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no JSON object, expected the model's identity")
    if "sources" in content:  # so called by the models of earlier versions
        content["scenes"] = content.pop("sources")
    for key in ("sequences", "scenes"):
        by_split = content.get(key, {})
        if not isinstance(by_split, dict) or not all(map(_is_list_of_names, by_split.values())):
            raise UserError(
                f"{path}: `{key}` is {textwrap.shorten(json.dumps(by_split), 60)}, expected an "
                f"object with a list of names per split; export the model again"
            )
    return content


def _is_list_of_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _check_signature(path: str, serve: Any) -> None:
    inputs, outputs = serve.structured_input_signature[1], serve.structured_outputs
    given, gives = inputs.get(PATCHES_INPUT), outputs.get(OUTPUT)
    good = (
        len(inputs) == 1
        and given is not None
        and given.dtype.name == "uint8"
        and given.shape.rank == 3
        and given.shape[0] is None
        and given.shape.is_compatible_with([None, PATCH_SIZE, PATCH_SIZE])
        and gives is not None
        and gives.dtype.name == "float32"
        and gives.shape.rank in (None, 2)
    )
    if not good:
        raise UserError(
            f"{path}: {SERVING_SIGNATURE} maps {_words(inputs)} to {_words(outputs)}, expected "
            f"uint8 {PATCHES_INPUT} [N, {PATCH_SIZE}, {PATCH_SIZE}] (N any) to float32 "
            f"{OUTPUT} [N, D]"
        )


def _words(specs: Mapping[str, Any]) -> str:
    return ", ".join(f"{spec.dtype.name} {name} {spec.shape}" for name, spec in specs.items())


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return textwrap.shorten(lines[0], 160, placeholder=" ...") if lines else type(error).__name__

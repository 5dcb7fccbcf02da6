"""The SavedModel: what is served, and what it says about itself.

What is served is the trained Keras graph itself, in float32 and in inference mode, with its
batch norms folded into the convolutions by TensorFlow's pass for that; the weights as they were
trained lie beside it as variables, for a warm start. Every export is loaded again and compared
with the network that was trained, on real patches.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.tools.optimize_for_inference_lib import optimize_for_inference

from trainer.core.config import TrainerConfig
from trainer.core.documents import read_json
from trainer.core.errors import UserError
from trainer.core.files import remove_folder, replace_folder, walk, writing
from trainer.core.variants import INPUT_SIZE, TRAIN, VAL, VARIANTS
from trainer.data import image, records, resizing
from trainer.data.manifest import Manifest
from trainer.model import byte_codes, canonical, card, patch_identity
from trainer.model.names import (
    CARD_FILE,
    IDENTITY_FILE,
    OUTPUT,
    PATCHES_INPUT,
    RECORDS_INPUT,
    RECORDS_SIGNATURE,
    SERVING_SIGNATURE,
    UINT8_SIGNATURE,
)

_VARIABLE = "network/{}/.ATTRIBUTES/VARIABLE_VALUE"
# Root mean square of the difference to the trained network's descriptors, relative to these.
_TOLERANCE = 1e-3
_TOLERANCE_ROUNDED = 0.1  # bfloat16 alone makes 0.03


@dataclass(frozen=True)
class Reference:
    """What the trained network says of some patches; its export must say the same.

    Attributes:
        patches: Real patches, uint8 [N, 32, 32].
        descriptors: Descriptors that the trained network gives them, float32 [N, D].
        rounded: Whether it computed in less than float32 (bfloat16, or an accelerator's
            matrix products), which the export does not.
    """

    patches: np.ndarray
    descriptors: np.ndarray
    rounded: bool = False


def save(
    network: tf_keras.Model,
    normalisation: image.Normalisation,
    identity: dict[str, Any],
    path: str,
    reference: Reference,
) -> None:
    """Writes the SavedModel, whole or not at all, and compares it with the trained network.

    Args:
        network: Trained network: normalised patches to the pair (embedding, descriptors).
        normalisation: Grey levels to network input.
        identity: Content of `assets.extra/descriptor.json`.
        path: Folder to write; replaced if it exists.
        reference: Descriptors that the SavedModel must reproduce.

    Raises:
        UserError: If it cannot be written, or describes the patches differently; what was at
            `path` is then still there.
    """
    temporary = path.rstrip("/") + ".tmp"
    extra = posixpath.join(temporary, IDENTITY_FILE)
    served = _Served(network, normalisation)
    signatures = {SERVING_SIGNATURE: served.describe, RECORDS_SIGNATURE: served.describe_records}
    if served.unit_length:
        signatures[UINT8_SIGNATURE] = served.describe_as_bytes
    with writing(path):
        if tf.io.gfile.exists(temporary):
            remove_folder(temporary)
        tf.saved_model.save(served, temporary, signatures=signatures)
        canonical.rewrite(temporary)
        tf.io.gfile.makedirs(posixpath.dirname(extra))
        with tf.io.gfile.GFile(extra, "w") as file:
            file.write(json.dumps(identity, indent=1, sort_keys=True))
        with tf.io.gfile.GFile(posixpath.join(temporary, CARD_FILE), "w") as file:
            file.write(card.write(identity))
    try:
        _compare(temporary, reference)
    except BaseException:
        remove_folder(temporary)
        raise
    with writing(path):
        replace_folder(temporary, path.rstrip("/"))


def _compare(path: str, reference: Reference) -> None:
    """Raises a UserError if a SavedModel's descriptors are not the trained network's."""
    serve = tf.saved_model.load(path).signatures[SERVING_SIGNATURE]
    served = serve(**{PATCHES_INPUT: tf.constant(reference.patches)})[OUTPUT].numpy()
    trained = reference.descriptors.astype(np.float64)
    norm = max(float(np.linalg.norm(trained)), 1e-12)
    difference = float(np.linalg.norm(served - trained)) / norm
    tolerance = _TOLERANCE_ROUNDED if reference.rounded else _TOLERANCE
    # Not `>`: what is not a number is no agreement, unless the network's is none either.
    if np.isfinite(trained).all() and not difference <= tolerance:
        raise UserError(
            f"{path.removesuffix('.tmp')}: not exported, as the SavedModel describes "
            f"{len(trained)} patches of the data differently from the trained network (relative "
            f"difference {difference:.2g}, expected at most {tolerance:g}); the "
            f"checkpoints are kept: report this, or export on another device"
        )


def describe_itself(
    network: tf_keras.Model,
    config: TrainerConfig,
    normalisation: image.Normalisation,
    examples: Manifest,
    matching: patch_identity.MatchingRule = patch_identity.MatchingRule(),  # noqa: B008 - frozen
) -> dict[str, Any]:
    """Returns the identity of a trained network.

    The `descriptor_id` depends on the weights and the preprocessing alone: descriptors of
    different ids cannot be compared with each other.
    """
    architecture = {"name": config.model.network, **config.model.model_dump()}
    preprocessing = {
        "resize": "area",
        "size": INPUT_SIZE,
        "normalisation": normalisation.model_dump(),
    }
    digest = hashlib.sha256(json.dumps([architecture, preprocessing], sort_keys=True).encode())
    for variable in network.variables:
        digest.update(np.ascontiguousarray(variable.numpy()).tobytes())
    unit_length = config.model.final_normalisation.endswith("l2")
    return {
        "descriptor_id": digest.hexdigest()[:32],
        "dimension": config.model.dimension,
        "uint8": byte_codes.describe_code(config.model.dimension) if unit_length else None,
        "architecture": architecture,
        "preprocessing": preprocessing,
        **patch_identity.describe_patches(examples.settings, matching),
        "extraction": examples.settings,
        "data_checksum": examples.checksum,
        "sequences": _names(examples, "name"),
        "scenes": _names(examples, "scene"),
        "training": json.loads(config.model_dump_json()),
        "versions": {"tensorflow": tf.__version__, "tf_keras": tf_keras.__version__},
    }


def _names(examples: Manifest, attribute: str) -> dict[str, list[str]]:
    """Returns the names that were trained on and those that chose the checkpoint."""
    return {
        split: sorted({getattr(entry, attribute) for entry in examples.splits.get(split, ())})
        for split in (TRAIN, VAL)
    }


def read_identity(path: str) -> dict[str, Any] | None:
    """Returns what a SavedModel says about itself, or None when it says nothing.

    Raises:
        UserError: When it cannot be understood.
    """
    extra = posixpath.join(path, IDENTITY_FILE)
    if not tf.io.gfile.exists(extra):
        return None
    with tf.io.gfile.GFile(extra, "rb") as file:
        content = file.read()
    try:
        return read_json(content)
    except ValueError as error:
        raise UserError(
            f"{extra}: not the identity of a descriptor ({error}); export the model again"
        ) from error


def model_checksum(path: str) -> str:
    """Returns the sha256 over names and bytes of all files of a SavedModel but its card.

    The card is for people and gets the scores when the model is pushed, which stays the same one.
    """
    digest = hashlib.sha256()
    root = path.rstrip("/")
    card_file = posixpath.join(root, CARD_FILE)
    for file in sorted(file for file in walk(root) if file != card_file):
        with tf.io.gfile.GFile(file, "rb") as opened:
            content = opened.read()
        name = file[len(root) :].lstrip("/")
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def load_weights(network: tf_keras.Model, path: str) -> None:
    """Starts a network from the variables of an exported SavedModel.

    Raises:
        UserError: When there are none or their architecture is another one.
    """
    try:
        reader = tf.train.load_checkpoint(posixpath.join(path, "variables", "variables"))
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(f"{path}: no variables to start from ({error})") from error
    prefix = _VARIABLE.partition("{}")[0]
    there = {
        name: shape
        for name, shape in reader.get_variable_to_shape_map().items()
        if name.startswith(prefix)
    }
    here = {_VARIABLE.format(_key(variable)): variable for variable in network.variables}
    for name in sorted(there.keys() | here.keys()):
        mine = list(here[name].shape) if name in here else "absent"
        if there.get(name, "absent") != mine:
            raise UserError(
                f"{path}: warm start needs the same architecture, but {name.split('/')[1]} is "
                f"{there.get(name, 'absent')} there and {mine} here; set the same model settings "
                f"or switch warm_start off"
            )
    _check_ending(network, path)
    try:
        values = {name: reader.get_tensor(name) for name in here}
    except tf.errors.OpError as error:
        raise UserError(f"{path}: its variables cannot be read ({error.message})") from error
    for name, variable in here.items():
        variable.assign(values[name])


def _check_ending(network: tf_keras.Model, path: str) -> None:
    """Refuses a network with another ending, where that shows in no variable."""
    architecture = (read_identity(path) or {}).get("architecture", {})
    there = architecture.get("final_normalisation")
    mine = any(layer.name == "l2" for layer in network.layers)
    if there is not None and there.endswith("l2") != mine:
        raise UserError(
            f"{path}: warm start needs the same architecture, but model.final_normalisation is "
            f"{there} there, and {'ends' if mine else 'does not end'} in l2 here; set the same "
            f"model settings or switch warm_start off"
        )


def _key(variable: tf.Variable) -> str:
    return variable.name.split(":")[0].replace("/", "_")


class _Served(tf.Module):
    """The functions of the SavedModel, and the weights as variables."""

    def __init__(self, network: tf_keras.Model, normalisation: image.Normalisation) -> None:
        super().__init__()
        self.network = {
            _key(variable): tf.Variable(variable.numpy(), trainable=False)
            for variable in network.variables
        }
        self.unit_length = any(layer.name == "l2" for layer in network.layers)
        self._normalisation = normalisation
        self._infer = _folded(_in_float32(network))

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None], tf.uint8, PATCHES_INPUT)],
        autograph=False,
    )
    def describe(self, patches: tf.Tensor) -> dict[str, tf.Tensor]:
        return {OUTPUT: self._descriptors(image.resize_area(patches))}

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None], tf.uint8, PATCHES_INPUT)],
        autograph=False,
    )
    def describe_as_bytes(self, patches: tf.Tensor) -> dict[str, tf.Tensor]:
        return {OUTPUT: byte_codes.encode(self._descriptors(image.resize_area(patches)))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, RECORDS_INPUT)], autograph=False)
    def describe_records(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {records.PATCHES: records.feature_spec()[records.PATCHES]}
        raw = tf.io.parse_example(serialized, spec)[records.PATCHES]
        resized = resizing.patches_from_bytes(raw)
        flat = self._descriptors(tf.reshape(resized, [-1, *resized.shape[2:]]))
        return {OUTPUT: tf.reshape(flat, [-1, len(VARIANTS), flat.shape[-1]])}

    def _descriptors(self, resized: tf.Tensor) -> tf.Tensor:
        # An empty batch becomes one patch on the way: oneDNN's fused convolution refuses none.
        count = tf.shape(resized)[0]
        added = tf.cast(tf.equal(count, 0), tf.int32)
        inputs = image.normalise(tf.pad(resized, [[0, added], [0, 0], [0, 0]]), self._normalisation)
        return self._infer(inputs)[:count]


def _in_float32(network: tf_keras.Model) -> tf_keras.Model:
    """Copies a network to float32, onto this host and out of its distribution strategy."""

    def copied(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = tf_keras.models.clone_model(network, clone_function=copied)
    copy.set_weights(network.get_weights())
    return copy


def _folded(network: tf_keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns normalised patches to descriptors as a graph of constants.

    Batch norms are folded into convolutions: that is faster, and TensorFlow's own fusion at run
    time fails on a batch norm with an activation other than a few.
    """
    spec = tf.TensorSpec([None, *network.input_shape[1:]], tf.float32)
    infer = tf.function(lambda inputs: network(inputs, training=False)[1], autograph=False)
    frozen = convert_variables_to_constants_v2(infer.get_concrete_function(spec))
    graph = frozen.graph.as_graph_def()
    for node in graph.node:  # control edges to what was read would keep it from being folded
        node.input[:] = [name for name in node.input if not name.startswith("^")]
    given, taken = frozen.inputs[0].op.name, frozen.outputs[0].op.name
    graph = optimize_for_inference(graph, [given], [taken], tf.float32.as_datatype_enum)

    def described(inputs: tf.Tensor) -> tf.Tensor:
        (descriptors,) = tf.graph_util.import_graph_def(graph, {given: inputs}, [f"{taken}:0"])
        return tf.ensure_shape(descriptors, [None, network.output_shape[1][-1]])

    return described

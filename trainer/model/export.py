"""The SavedModel: what is served, and what it says about itself.

The serving functions hold the network with its batch norms folded into the
convolutions, as constants, which is the form a CPU runs fastest; the weights as they were
trained lie beside them as variables, for a warm start.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError
from trainer.core.files import replace_folder, writing
from trainer.core.variants import VARIANTS
from trainer.data import image, records, resizing
from trainer.data.manifest import Manifest
from trainer.model import byte_codes, l2net

SERVING_SIGNATURE = "serving_default"
RECORDS_SIGNATURE = "serialized_records"
UINT8_SIGNATURE = "uint8_descriptors"  # only of descriptors of unit length
SERVING_DIR = "Format-Serving"
PATCHES_INPUT = "patches"
RECORDS_INPUT = "records"
OUTPUT = "descriptors"
IDENTITY_FILE = posixpath.join("assets.extra", "descriptor.json")
_VARIABLE = "network/{}/.ATTRIBUTES/VARIABLE_VALUE"


def save(
    network: tf_keras.Model,
    normalisation: image.Normalisation,
    identity: dict[str, Any],
    path: str,
) -> None:
    """Writes the SavedModel, whole or not at all.

    Args:
        network: From `trainer.model.l2net.build`.
        normalisation: From grey levels to its input.
        identity: What `assets.extra/descriptor.json` is to say.
        path: Folder to write; replaced when it is there.

    Raises:
        UserError: When it cannot be written.
    """
    temporary = path.rstrip("/") + ".tmp"
    extra = posixpath.join(temporary, IDENTITY_FILE)
    served = _Served(network, normalisation)
    signatures = {SERVING_SIGNATURE: served.describe, RECORDS_SIGNATURE: served.describe_records}
    if served.unit_length:
        signatures[UINT8_SIGNATURE] = served.describe_as_bytes
    with writing(path):
        if tf.io.gfile.exists(temporary):
            tf.io.gfile.rmtree(temporary)
        tf.saved_model.save(served, temporary, signatures=signatures)
        tf.io.gfile.makedirs(posixpath.dirname(extra))
        with tf.io.gfile.GFile(extra, "w") as file:
            file.write(json.dumps(identity, indent=1, sort_keys=True))
        replace_folder(temporary, path.rstrip("/"))


def describe_itself(
    network: tf_keras.Model,
    config: TrainerConfig,
    normalisation: image.Normalisation,
    examples: Manifest,
) -> dict[str, Any]:
    """Returns the identity of a trained network.

    Its `descriptor_id` depends on the weights and the preprocessing alone: descriptors of
    different ids cannot be compared with each other.
    """
    architecture = {"name": "l2net", **config.model.model_dump()}
    preprocessing = {
        "resize": "area",
        "size": image.INPUT_SIZE,
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
        "extraction": examples.settings,
        "data_checksum": examples.checksum,
        "sequences": _names(examples, "name"),
        "sources": _names(examples, "source"),
        "training": json.loads(config.model_dump_json()),
        "versions": {"tensorflow": tf.__version__, "tf_keras": tf_keras.__version__},
    }


def _names(examples: Manifest, attribute: str) -> dict[str, list[str]]:
    """Returns the names that were trained on and those that chose the checkpoint."""
    return {
        split: sorted({getattr(entry, attribute) for entry in examples.splits.get(split, ())})
        for split in ("train", "val")
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
        return json.loads(content)
    except ValueError as error:
        raise UserError(
            f"{extra}: not the identity of a descriptor ({error}); export the model again"
        ) from error


def model_checksum(path: str) -> str:
    """Returns the sha256 over names and bytes of all files of a SavedModel."""
    digest = hashlib.sha256()
    root = path.rstrip("/")
    files = [
        posixpath.join(folder, name)
        for folder, _, names in tf.io.gfile.walk(root)
        for name in names
    ]
    for file in sorted(files):
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
    """The functions of the SavedModel."""

    def __init__(self, network: tf_keras.Model, normalisation: image.Normalisation) -> None:
        super().__init__()
        self.network = {
            _key(variable): tf.Variable(variable.numpy(), trainable=False)
            for variable in network.variables
        }
        self._folded = FoldedNetwork(network)
        self.unit_length = self._folded.unit_length
        self._normalisation = normalisation

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
        return self._folded(inputs)[:count]


class FoldedNetwork:
    """The network in inference, each batch norm folded into the convolution before it.

    Args:
        network: From `trainer.model.l2net.build`, with trained statistics.
    """

    def __init__(self, network: tf_keras.Model) -> None:
        layers = {layer.name: layer for layer in network.layers}
        self._convolutions = []
        for number, (_, stride) in enumerate(l2net.CONVOLUTIONS, start=1):
            kernel, bias = _folded(layers[f"conv{number}"], layers[f"norm{number}"])
            self._convolutions.append((kernel, bias, stride))
        last = layers[f"conv{len(l2net.CONVOLUTIONS) + 1}"]
        self._last, self._last_bias = _folded(last, layers.get("final_norm"))
        self.unit_length = "l2" in layers

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns descriptors float32 [N, D] of normalised patches float32 [N, 32, 32, 1]."""
        values = inputs
        for kernel, bias, stride in self._convolutions:
            values = tf.nn.conv2d(values, kernel, stride, "SAME")
            values = tf.nn.relu(tf.nn.bias_add(values, bias))
        values = tf.nn.conv2d(values, self._last, 1, "VALID")
        values = tf.reshape(tf.nn.bias_add(values, self._last_bias), [-1, self._last.shape[-1]])
        return l2net.l2_normalise(values) if self.unit_length else values


def _folded(
    convolution: tf_keras.layers.Conv2D, norm: tf_keras.layers.Layer | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns kernel and bias of a convolution with the batch norm that follows it."""
    kernel = convolution.kernel.numpy().astype(np.float64)
    if norm is None:
        return kernel.astype(np.float32), np.zeros(kernel.shape[-1], np.float32)
    scale = 1 / np.sqrt(norm.moving_variance.numpy().astype(np.float64) + norm.epsilon)
    bias = -norm.moving_mean.numpy() * scale
    return (kernel * scale).astype(np.float32), bias.astype(np.float32)

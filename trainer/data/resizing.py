"""From serialized records to 32 x 32 patches, directly or through Transform's graph."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from trainer.core.errors import UserError
from trainer.core.variants import INPUT_SIZE, VARIANTS
from trainer.data import image, records

PACKED_SHAPE = (len(VARIANTS), INPUT_SIZE, INPUT_SIZE)

Resizer = Callable[[list[bytes]], np.ndarray]
"""Turns B serialized records into uint8 [B, 16, 32, 32]."""


def graph_folder(transform_graph: str) -> str:
    """Returns where a Transform output has its SavedModel."""
    return posixpath.join(transform_graph, "transform_fn")


def resizer(transform_graph: str | None) -> Resizer:
    """Returns what turns serialized records into patches.

    Args:
        transform_graph: Output of Transform, whose graph then resizes; None resizes directly.

    Raises:
        UserError: When there is no Transform graph in it.
    """
    apply = _direct if transform_graph is None else _through_graph(transform_graph)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def resize(serialized: tf.Tensor) -> tf.Tensor:
        features = tf.io.parse_example(serialized, records.feature_spec())
        return tf.saturate_cast(tf.round(apply(features)), tf.uint8)

    return lambda batch: resize(tf.constant(batch)).numpy()


def resized(resize: Resizer, batch: list[bytes], path: str, first: int) -> np.ndarray:
    """Resizes records, or says which of them cannot be resized, uint8 [B, 16, 32, 32].

    Args:
        resize: From `resizer`.
        batch: B serialized records of one shard.
        path: The shard.
        first: Number of the first record in it.

    Raises:
        UserError: With the record that does not hold what it should.
    """
    try:
        return resize(batch)
    except tf.errors.InvalidArgumentError:
        for number, serialized in enumerate(batch):  # find the one that the graph refused
            try:
                records.decode(serialized)
                tf.io.parse_example([serialized], records.feature_spec())  # says what is missing
                resize([serialized])
            except (ValueError, tf.errors.InvalidArgumentError) as error:
                why = str(getattr(error, "message", error))
                raise records.unreadable(path, first + number, why) from error
        raise


def patches_from_bytes(serialized: tf.Tensor) -> tf.Tensor:
    """Resizes raw patch bytes, string [B], to float32 [B, 16, 32, 32].

    Raises:
        tf.errors.InvalidArgumentError: When the bytes are not those of 16 patches.
    """
    flat = tf.io.decode_raw(serialized, tf.uint8)
    # By the number of records: 16 records of 15 patches would pass for 15 of 16.
    count = tf.size(serialized) * records.PATCH_SHAPE[0]
    pixels = tf.reshape(flat, tf.stack([count, *records.PATCH_SHAPE[1:]]))
    return tf.reshape(image.resize_area(pixels), [-1, *PACKED_SHAPE])


def _direct(features: dict[str, tf.Tensor]) -> tf.Tensor:
    return patches_from_bytes(features[records.PATCHES])


def _through_graph(transform_graph: str) -> Callable[[dict[str, tf.Tensor]], tf.Tensor]:
    """Loads a Transform graph without tensorflow_transform (a TPU image has none).

    TFT 1.16 saves the graph as attribute `transform_fn`, a function of one dictionary; in
    TF1 mode as signature `transform_signature`, a function of keywords.
    """
    folder = graph_folder(transform_graph)
    try:
        loaded = tf.saved_model.load(folder)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"{folder}: no Transform graph can be loaded from it ({error})") from error
    function = getattr(loaded, "transform_fn", None)
    if function is not None:
        concrete = getattr(function, "concrete_functions", [function])[0]
        names = concrete.structured_input_signature[0][0]
    elif "transform_signature" in loaded.signatures:
        function = loaded.signatures["transform_signature"]
        names = function.structured_input_signature[1]
    else:
        raise UserError(
            f"{folder}: a SavedModel, but not the graph of a Transform (no `transform_fn` and no "
            f"signature `transform_signature`)"
        )

    def apply(features: dict[str, tf.Tensor]) -> tf.Tensor:
        fed = {name: features[name] for name in names}
        outputs = function(fed) if hasattr(loaded, "transform_fn") else function(**fed)
        return tf.ensure_shape(outputs[records.PATCHES], [None, *PACKED_SHAPE])

    apply.loaded = loaded  # type: ignore[attr-defined]  # its tables and constants must outlive it
    return apply

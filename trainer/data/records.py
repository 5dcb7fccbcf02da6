"""The record the pipeline moves: the 16 patches of one physical point.

The record carries its `scene` (the photograph or scene it was cut from), because two
image sequences of one scene show the same physical points under different names: they
must never share a training batch nor judge each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from trainer.core.errors import UserError
from trainer.core.variants import KINDS, PATCH_SIZE, VARIANTS

SEQUENCE = "sequence"
SCENE = "scene"
KIND = "kind"
INDEX = "index"
PATCHES = "patches"
POSITION = "position"
MEAN = "mean"
CONTRAST = "contrast"
CLIPPED = "clipped"
BYTE_COUNT = "byte_count"

PATCH_SHAPE = (len(VARIANTS), PATCH_SIZE, PATCH_SIZE)
PATCH_BYTES = int(np.prod(PATCH_SHAPE))


@dataclass(frozen=True)
class PointPatches:
    """The 16 patches of one physical point.

    Attributes:
        sequence: Image sequence the point belongs to, e.g. `v_wall`.
        scene: Scene that it shows; equal for image sequences of the same thing.
        kind: `i`, `v` or `u` (see `trainer.core.variants.KINDS`).
        index: Number of the point within its image sequence, from 0.
        patches: uint8 [16, 65, 65], in the order of `VARIANTS`.
        position: float32 [3]: x, y and scale (sigma) of the detection in the reference
            image, in pixels; zeros when they are not known (patch releases do not tell).
    """

    sequence: str
    scene: str
    kind: str
    index: int
    patches: np.ndarray
    position: np.ndarray = field(default_factory=lambda: np.zeros(3, np.float32))


def feature_spec() -> dict[str, tf.io.FixedLenFeature]:
    """Returns the parsing specification of one serialized record."""
    scalar = {
        SEQUENCE: tf.string,
        SCENE: tf.string,
        KIND: tf.string,
        INDEX: tf.int64,
        PATCHES: tf.string,
        MEAN: tf.float32,
        CONTRAST: tf.float32,
        CLIPPED: tf.float32,
        BYTE_COUNT: tf.int64,
    }
    spec = {name: tf.io.FixedLenFeature([], dtype) for name, dtype in scalar.items()}
    spec[POSITION] = tf.io.FixedLenFeature([3], tf.float32)
    return spec


def encode(record: PointPatches) -> bytes:
    """Serializes a record as a `tf.train.Example`.

    Raises:
        ValueError: When the patches are not uint8 [16, 65, 65] or the kind is unknown.
    """
    patches = record.patches
    if patches.dtype != np.uint8 or patches.shape != PATCH_SHAPE:
        raise ValueError(
            f"patches of {record.sequence} #{record.index} are {patches.dtype} "
            f"{patches.shape}, expected uint8 {PATCH_SHAPE}"
        )
    if record.kind not in KINDS:
        raise ValueError(f"kind of {record.sequence} is {record.kind!r}, expected one of {KINDS}")
    pixels = patches.tobytes()
    features = {
        SEQUENCE: _bytes(record.sequence.encode()),
        SCENE: _bytes(record.scene.encode()),
        KIND: _bytes(record.kind.encode()),
        INDEX: _ints(record.index),
        PATCHES: _bytes(pixels),
        POSITION: _floats(*np.asarray(record.position, np.float32)),
        MEAN: _floats(patches.mean(dtype=np.float64)),
        CONTRAST: _floats(patches.std(axis=(1, 2), dtype=np.float64).mean()),
        CLIPPED: _floats(((patches == 0) | (patches == 255)).mean(dtype=np.float64)),
        BYTE_COUNT: _ints(len(pixels)),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def decode(serialized: bytes) -> PointPatches:
    """Reads a record back.

    Raises:
        ValueError: When the bytes are no such record.
    """
    try:
        values = tf.train.Example.FromString(serialized).features.feature
        pixels = values[PATCHES].bytes_list.value[0]
        if len(pixels) != PATCH_BYTES:
            raise ValueError(
                f"{len(pixels)} bytes are {len(pixels) / PATCH_SIZE**2:g} patches of "
                f"{PATCH_SIZE} x {PATCH_SIZE}, expected {len(VARIANTS)}"
            )
        return PointPatches(
            sequence=values[SEQUENCE].bytes_list.value[0].decode(),
            scene=values[SCENE].bytes_list.value[0].decode(),
            kind=values[KIND].bytes_list.value[0].decode(),
            index=int(values[INDEX].int64_list.value[0]),
            patches=np.frombuffer(pixels, np.uint8).reshape(PATCH_SHAPE),
            position=np.asarray(values[POSITION].float_list.value, np.float32),
        )
    except Exception as error:  # protobuf's errors differ between its implementations
        raise ValueError(f"not the record of a point: {error}") from error


def read_shard(path: str) -> Iterator[PointPatches]:
    """Yields the records of one TFRecord shard in order.

    Raises:
        UserError: When the shard is missing, truncated or holds something else; the
            message names the shard and the record.
    """
    for number, serialized in enumerate(read_serialized(path)):
        try:
            yield decode(serialized)
        except ValueError as error:
            raise unreadable(path, number, str(error)) from error


def read_serialized(path: str) -> Iterator[bytes]:
    """Yields the serialized records of one TFRecord shard in order.

    Raises:
        UserError: As `read_shard`, but what the records hold is not looked at.
    """
    if not tf.io.gfile.exists(path):
        raise UserError(
            f"{path}: there is no such shard, though the manifest lists it; delete the run's "
            f"examples and run again"
        )
    number = 0
    try:
        for serialized in tf.data.TFRecordDataset(path).as_numpy_iterator():
            yield serialized
            number += 1
    except tf.errors.OpError as error:
        raise unreadable(path, number, error.message) from error


def unreadable(path: str, number: int, why: str) -> UserError:
    """Returns the error that names a shard and its broken record.

    Args:
        path: The shard.
        number: The record, from 0.
        why: What was found; TensorFlow's messages are freed of the names of its operations.
    """
    why = re.sub(r"^\{\{.*?\}\} | \[Op:.*$", "", why.splitlines()[0])
    return UserError(
        f"{path}: record {number} cannot be read ({why}); expected the TFRecord shards that "
        "ExampleGen writes: delete the run's examples and run again"
    )


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _ints(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def _floats(*values: float) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))

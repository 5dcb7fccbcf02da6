"""The record of one point."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from trainer.core.errors import UserError
from trainer.data import records


@pytest.fixture
def record() -> records.PointPatches:
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, records.PATCH_SHAPE, dtype=np.uint8)
    position = np.array([12.5, 3.25, 1.6], np.float32)
    return records.PointPatches("v_wall", "wall", "v", 7, patches, position)


def test_decode_gives_back_what_was_encoded(record):
    assert records.encode(record) == records.encode(record)
    again = records.decode(records.encode(record))
    np.testing.assert_array_equal(again.patches, record.patches)
    np.testing.assert_array_equal(again.position, record.position)
    for name in ("sequence", "scene", "kind", "index"):
        assert getattr(again, name) == getattr(record, name)


def test_tensorflow_parses_every_feature(record):
    parsed = tf.io.parse_single_example(records.encode(record), records.feature_spec())
    assert parsed[records.SCENE] == b"wall"
    assert parsed[records.INDEX] == 7
    assert parsed[records.BYTE_COUNT] == 16 * 65 * 65
    pixels = tf.io.decode_raw(parsed[records.PATCHES], tf.uint8).numpy()
    np.testing.assert_array_equal(pixels.reshape(records.PATCH_SHAPE), record.patches)


def test_numbers_for_validation_are_those_of_the_pixels():
    patches = np.zeros(records.PATCH_SHAPE, np.uint8)
    patches[:, :, :33] = 200
    record = records.PointPatches("i_a", "a", "i", 0, patches)
    parsed = tf.io.parse_single_example(records.encode(record), records.feature_spec())
    share = 33 / 65
    assert float(parsed[records.MEAN]) == pytest.approx(200 * share, abs=1e-4)
    assert float(parsed[records.CONTRAST]) == pytest.approx(
        200 * (share * (1 - share)) ** 0.5, abs=1e-4
    )
    assert float(parsed[records.CLIPPED]) == pytest.approx(1 - share, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"patches": np.zeros(records.PATCH_SHAPE, np.float32)},
            r"patches of v_wall #7 are float32 \(16, 65, 65\), expected uint8 \(16, 65, 65\)",
        ),
        (
            {"patches": np.zeros((15, 65, 65), np.uint8)},
            r"are uint8 \(15, 65, 65\), expected uint8",
        ),
        ({"kind": "x"}, "kind of v_wall is 'x', expected one of"),
    ],
)
def test_encode_refuses_what_is_no_patch_sequence(record, change, message):
    with pytest.raises(ValueError, match=message):
        records.encode(dataclasses.replace(record, **change))


def test_read_shard_yields_the_records_in_order(record, tmp_path):
    path = str(tmp_path / "shard")
    with tf.io.TFRecordWriter(path) as writer:
        for index in range(3):
            writer.write(records.encode(dataclasses.replace(record, index=index)))
    assert [each.index for each in records.read_shard(path)] == [0, 1, 2]


def test_read_shard_names_shard_and_record_that_cannot_be_read(record, tmp_path):
    path = tmp_path / "shard"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(records.encode(record))
        writer.write(records.encode(record))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"shard: record 1 cannot be read"):
        list(records.read_shard(str(path)))
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(records.encode(record))
        writer.write(tf.train.Example().SerializeToString())
    with pytest.raises(UserError, match="record 1"):
        list(records.read_shard(str(path)))
    with pytest.raises(UserError, match="absent: there is no such shard"):
        list(records.read_shard(str(tmp_path / "absent")))


def test_decode_counts_the_patches_of_a_record_with_too_few(record):
    example = tf.train.Example.FromString(records.encode(record))
    pixels = example.features.feature["patches"].bytes_list
    pixels.value[0] = pixels.value[0][: 11 * 65 * 65]
    with pytest.raises(ValueError, match="11 patches of 65 x 65, expected 16"):
        records.decode(example.SerializeToString())
    with pytest.raises(ValueError, match="not the record of a point"):
        records.decode(b"\x00\x01")

"""Descriptors as bytes."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.model import byte_codes


def unit_vectors(count: int, dimension: int) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_known_values():
    step = byte_codes.step(64)
    assert step == pytest.approx(4 / (127 * 8))
    values = np.array([0.0, step, -step, 2.4 * step, 127 * step, 10.0, -10.0] + [0.0] * 57)
    codes = byte_codes.encode_array(values.astype(np.float32))
    assert codes[:7].tolist() == [128, 129, 127, 130, 255, 255, 1]


@pytest.mark.parametrize("dimension", [64, 128, 256])
def test_tensors_and_arrays_are_encoded_alike(dimension):
    values = unit_vectors(500, dimension)
    codes = byte_codes.encode(tf.constant(values)).numpy()
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes, byte_codes.encode_array(values))


def test_decoding_gives_back_to_half_a_step():
    values = unit_vectors(500, 128)
    decoded = byte_codes.decode_array(byte_codes.encode_array(values))
    inside = np.abs(values) < 127 * byte_codes.step(128)
    assert inside.mean() > 0.999
    error = np.abs(decoded - values)[inside].max()
    assert error <= byte_codes.step(128) * 0.501


def test_distances_between_codes_are_those_between_descriptors():
    values = unit_vectors(200, 128)
    codes = byte_codes.encode_array(values).astype(np.int32)
    true = np.linalg.norm(values[:100] - values[100:], axis=1)
    distances = np.linalg.norm(codes[:100] - codes[100:], axis=1) * byte_codes.step(128)
    np.testing.assert_allclose(distances, true, rtol=0.01)

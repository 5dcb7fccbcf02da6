"""Descriptors as COLMAP's bytes."""

import doctest

import numpy as np
import pytest

from trainer.core.errors import UserError
from trainer.model import byte_codes, colmap_bytes


def pairs(count: int, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns unit vectors and others near to them, float32 [count, dimension] each."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(count, dimension))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = first + rng.normal(size=first.shape) / np.sqrt(dimension)
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return first.astype(np.float32), second.astype(np.float32)


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the angles that COLMAP's brute-force matcher computes, [N, M]."""
    products = first.astype(np.int64) @ second.astype(np.int64).T
    return np.arccos(np.minimum(products / 512**2, 1))


def matches(distances: np.ndarray, ratio: float = 0.8) -> set[int]:
    """Returns the rows whose nearest column passes the ratio test, as `row * columns + column`."""
    nearest, second = np.sort(distances, axis=1)[:, :2].T
    rows = np.flatnonzero(nearest < ratio * second)
    return set((rows * distances.shape[1] + distances[rows].argmin(axis=1)).tolist())


@pytest.mark.parametrize("dimension", [1, 64, 127, 128])
def test_all_have_the_length_and_the_sum_that_dot_products_need(dimension):
    codes = colmap_bytes.encode(pairs(300, dimension)[0])
    assert codes.dtype == np.uint8
    assert codes.shape == (300, 128)
    lengths = np.linalg.norm(codes.astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, 512, atol=1.0 if dimension > 1 else 8.0)
    assert len(set(codes.sum(axis=1, dtype=int))) == 1


@pytest.mark.parametrize(("dimension", "error"), [(64, 0.012), (127, 0.012), (128, 0.02)])
def test_angles_are_those_of_the_distances(dimension, error):
    first, second = pairs(500, dimension)
    expected = [colmap_bytes.angle_of(d) for d in np.linalg.norm(first - second, axis=1)]
    found = np.diag(angles(colmap_bytes.encode(first), colmap_bytes.encode(second)))
    assert np.std(found / expected) < error
    assert np.mean(found / expected) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("dimension", [64, 128])
def test_dot_products_and_distances_match_as_the_descriptors_do(dimension):
    first, second = pairs(1000, dimension)
    true = matches(np.linalg.norm(first[:, None] - second[None], axis=2))
    a, b = (colmap_bytes.encode(values).astype(np.float64) for values in (first, second))
    by_distance = np.sqrt(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0))
    for found in (matches(angles(a, b)), matches(by_distance)):
        assert len(true) > 300
        assert len(true & found) / len(true | found) > 0.95


def test_codes_with_a_zero_at_128_do_not_match_by_dot_products():
    first, second = (byte_codes.encode_array(values) for values in pairs(300, 128))
    assert not matches(angles(first, second))  # why there are bytes of COLMAP's own


def test_the_largest_angle_passes_colmaps_default():
    assert 0.6 < colmap_bytes.angle_of(2.0) < 0.7
    assert not doctest.testmod(colmap_bytes).failed


def test_a_row_of_zeros_becomes_a_code_too():
    codes = colmap_bytes.encode(np.zeros((1, 128), np.float32))
    assert set(codes[0]) == {42, 43}


def test_longer_descriptors_are_refused():
    with pytest.raises(UserError, match="129 numbers do not go into COLMAP's 128 bytes"):
        colmap_bytes.encode(pairs(3, 129)[0])

"""Distances equal SciPy's bit for bit, and proposals stay within their stated error."""

import numpy as np
import pytest
from scipy import linalg
from scipy.spatial import distance

from components.descriptor_evaluator.protocol import distances


@pytest.mark.parametrize(("metric", "scipys"), [("l2", "euclidean"), ("l1", "cityblock")])
@pytest.mark.parametrize("dimension", [1, 3, 64, 128, 200])
def test_pairs_equal_the_matrix_bit_for_bit(dimension, metric, scipys):
    rng = np.random.default_rng(dimension)
    first = rng.normal(size=(50, dimension)).astype(np.float32)
    second = rng.normal(size=(50, dimension)).astype(np.float32)
    matrix = distance.cdist(first, second, scipys)
    np.testing.assert_array_equal(distances.exact_matrix(first, second, metric), matrix)
    np.testing.assert_array_equal(distances.exact_pairs(first, second, metric), np.diag(matrix))


@pytest.mark.parametrize("dimension", [1, 64, 256, 512])
def test_hamming_counts_the_bits_that_differ(dimension):
    rng = np.random.default_rng(dimension)
    first, second = rng.integers(0, 2, (2, 50, dimension)).astype(np.float32)
    matrix = np.round(distance.cdist(first, second, "hamming") * dimension)
    np.testing.assert_array_equal(distances.exact_matrix(first, second, "hamming"), matrix)
    of_pairs = (distances.exact_pairs, distances.verification_pairs)
    for pairs in of_pairs:
        np.testing.assert_array_equal(pairs(first, second, "hamming"), np.diag(matrix))


@pytest.mark.parametrize("metric", ["l2", "l1"])
def test_verification_distances_are_rounded_as_scipy_does(metric):
    rng = np.random.default_rng(0)
    first = rng.normal(size=(500, 128)).astype(np.float32)
    second = first + (rng.normal(size=(500, 128)) * 0.1).astype(np.float32)
    if metric == "l2":  # as `distance.euclidean` rounded until it came to sum in float32
        expected = [linalg.norm(a - b) for a, b in zip(first, second, strict=True)]
    else:
        expected = [distance.cityblock(a, b) for a, b in zip(first, second, strict=True)]
    actual = distances.verification_pairs(first, second, metric)
    assert actual.dtype == np.float32
    np.testing.assert_array_equal(actual.astype(np.float64), expected)


@pytest.mark.parametrize("scale", [1e-30, 1e-7, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, 1.0, 100.0])
def test_products_err_less_than_the_tolerance(scale, offset):
    rng = np.random.default_rng(1)
    left, right = ((scale * (offset + rng.normal(size=(80, 128)))).astype(np.float32) for _ in "ab")
    code = distances.Code.around(np.concatenate([left, right]))
    one, two = code.encode(left), code.encode(right)
    product = one.as_left() @ two.as_right().T
    exact = (distance.cdist(left, right) * code.scale) ** 2 - one.squares[:, None]
    error = np.abs(product - exact)
    bound = distances.tolerance(one, two)
    assert (error <= bound[:, None]).all()
    assert (error > 1e-4 * bound[:, None]).any(), "the bound is not idly large"


def test_identical_descriptors_become_exactly_zero():
    values = np.full((1000, 128), 0.1, np.float32)
    encoded = distances.Code.around(values).encode(values)
    assert not encoded.vectors.any()
    assert not distances.tolerance(encoded, encoded).any()

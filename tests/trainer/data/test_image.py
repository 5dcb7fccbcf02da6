"""Exact area resizing and normalisation."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from trainer.data import image


def _by_definition(patch: np.ndarray, size: int) -> np.ndarray:
    """Area means by repeating every pixel `size` times along both axes."""
    height, width = patch.shape
    fine = np.kron(patch.astype(np.int64), np.ones((size, size), np.int64))
    sums = fine.reshape(size, height, size, width).sum((1, 3))
    return np.round(sums / (height * width))


@pytest.mark.parametrize("shape", [(65, 65), (64, 64), (33, 50), (20, 32), (7, 90)])
def test_resizing_is_the_exact_area_mean(shape):
    patches = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    resized = image.resize_area(tf.constant(patches)).numpy()
    expected = np.stack([_by_definition(patch, 32) for patch in patches])
    np.testing.assert_array_equal(resized, expected)
    as_float = image.resize_area(tf.constant(patches, tf.float32))
    np.testing.assert_array_equal(as_float, resized)
    assert image.resize_area(tf.zeros([0, *shape], tf.uint8)).shape == (0, 32, 32)


def test_halving_agrees_with_opencv_up_to_rounding_of_ties():
    patch = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    resized = image.resize_area(tf.constant(patch[None])).numpy()[0]
    other = cv2.resize(patch, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(resized - other).max() <= 1  # OpenCV rounds .5 up, this to even


def test_sums_stay_exact_at_256_pixels():
    patches = np.random.default_rng(2).integers(200, 256, (1, 256, 256), dtype=np.uint8)
    patches[0, :8, :8] = 255
    expected = _by_definition(patches[0], 32)
    np.testing.assert_array_equal(image.resize_area(tf.constant(patches))[0], expected)


def test_patches_of_the_right_size_stay_as_they_are():
    patches = np.random.default_rng(3).integers(0, 256, (2, 32, 32), dtype=np.uint8)
    np.testing.assert_array_equal(image.resize_area(tf.constant(patches)), patches)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.uint8)])
    def dynamic(values):
        return image.resize_area(values)

    np.testing.assert_array_equal(dynamic(patches), patches)


def test_one_graph_takes_every_size_and_agrees_with_eager_mode():
    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.uint8)])
    def resize(values):
        return image.resize_area(values)

    rng = np.random.default_rng(4)
    for shape in ((65, 65), (40, 70)):
        patches = rng.integers(0, 256, (5, *shape), dtype=np.uint8)
        np.testing.assert_array_equal(resize(patches), image.resize_area(tf.constant(patches)))
    assert resize.experimental_get_tracing_count() == 1


def test_per_patch_normalisation_takes_brightness_and_contrast_away():
    patch = np.random.default_rng(6).integers(60, 120, (1, 32, 32)).astype(np.float32)
    both = image.normalise(tf.constant(np.concatenate([patch, 2 * patch + 5])), _PER_PATCH)
    assert both.shape == (2, 32, 32, 1)
    np.testing.assert_allclose(both[0], both[1], atol=1e-5)
    assert float(tf.reduce_mean(both[0])) == pytest.approx(0, abs=1e-6)
    assert float(tf.math.reduce_std(both[0])) == pytest.approx(1, abs=1e-5)


def test_a_flat_patch_becomes_zeros_and_a_faint_one_stays_faint():
    faint = np.full((2, 32, 32), 100.0, np.float32)
    faint[1, 0, 0] = 101
    normalised = image.normalise(tf.constant(faint), _PER_PATCH).numpy()
    np.testing.assert_array_equal(normalised[0], 0)
    assert np.abs(normalised[1]).max() == pytest.approx(1 - 1 / 1024)  # divided by the floor, 1


def test_dataset_normalisation_uses_the_given_numbers():
    how = image.Normalisation(kind="dataset", mean=100.0, deviation=20.0)
    normalised = image.normalise(tf.fill([1, 32, 32], tf.constant(140, tf.uint8)), how)
    np.testing.assert_allclose(normalised, 2.0)


_PER_PATCH = image.Normalisation(kind="patch", floor=1.0)

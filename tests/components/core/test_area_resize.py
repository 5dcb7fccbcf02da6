"""Resizing without TensorFlow."""

import numpy as np
import pytest

from components.core import area_resize
from trainer.data import image


@pytest.mark.parametrize("shape", [(65, 65), (32, 32), (31, 33), (200, 64), (1, 1), (256, 256)])
def test_it_gives_the_bytes_that_the_network_is_given(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (20, *shape)).astype(np.uint8)
    expected = image.resize_area(pixels).numpy()
    resized = area_resize.resize(pixels, 32)
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized, expected)


def test_overlaps_share_every_pixel_out():
    overlaps = area_resize.overlaps(65, 32)
    assert overlaps.shape == (65, 32)
    assert set(overlaps.sum(axis=0)) == {65}
    assert set(overlaps.sum(axis=1)) == {32}

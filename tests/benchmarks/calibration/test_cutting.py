"""Squares whose outermost samples lie on the half-width."""

import numpy as np

from benchmarks.calibration import official
from benchmarks.calibration.cutting import correlations, cut
from components.example_gen.formats.images import read_grey


def frame(x, y, half_width):
    return np.array([[half_width, 0, x], [0, half_width, y], [0, 0, 1.0]])


def test_a_half_width_of_32_pixels_gives_the_pixels_themselves():
    image = np.random.default_rng(0).integers(0, 256, (100, 110), dtype=np.uint8)
    (patch,) = cut(image, frame(50, 40, 32.0)[None])
    assert np.array_equal(patch, image[8:73, 18:83])


def test_the_outermost_samples_lie_on_the_half_width():
    ramp = np.tile(np.arange(200, dtype=np.uint8), (60, 1))
    (patch,) = cut(ramp, frame(100, 30, 10.0)[None])
    assert patch[0, [0, 32, 64]].tolist() == [90, 100, 110]


def test_patches_that_shrink_their_image_do_not_alias():
    checks = np.uint8(255 * (np.indices((400, 400)).sum(0) % 2))
    large, small = cut(checks, np.stack([frame(200, 200, 160.0), frame(200, 200, 32.0)]))
    assert large.std() < 5
    assert small.std() > 100


def test_correlation_sees_neither_contrast_nor_brightness():
    patches = np.random.default_rng(0).normal(size=(3, 8, 8))
    assert np.allclose(correlations(patches, 2 * patches + 7), 1)


def test_the_official_patches_are_cut_again(shared):
    places, squares = official.reference_frames(shared)
    image = read_grey(str(shared / "sequences" / official.STRIP_OF / "1.ppm"))
    theirs = official.reference_patches(shared)[places]
    assert np.median(correlations(cut(image, squares), theirs)) > 0.9999

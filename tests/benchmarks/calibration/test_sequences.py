"""Whole image sequences: points that leave an image or show nothing are left out."""

import numpy as np

from benchmarks.calibration.sequences import cut_sequence


def square(x, y, half_width=8.0):
    return np.array([[half_width, 0, x], [0, half_width, y], [0, 0, 1.0]])


def cut(pictures, squares):
    still = [np.eye(3)] * 5
    return cut_sequence(pictures, still, np.stack(squares), np.random.default_rng(0))


def test_a_point_needs_room_in_every_image():
    wide = np.random.default_rng(0).integers(0, 256, (120, 200), dtype=np.uint8)
    narrow = wide[:, :110]
    inside, outside = square(50, 60), square(150, 60)
    assert cut([wide] * 6, [inside, outside]).shape == (2, 16, 65, 65)
    assert len(cut([*[wide] * 5, narrow], [inside, outside])) == 1
    assert len(cut([wide] * 6, [inside, square(5, 60)])) == 1


def test_a_point_needs_contrast_in_every_image():
    picture = np.random.default_rng(0).integers(0, 256, (120, 200), dtype=np.uint8)
    half_grey = picture.copy()
    half_grey[:, 100:] = 90
    squares = [square(50, 60), square(150, 60)]
    assert len(cut([picture] * 6, squares)) == 2
    assert len(cut([*[picture] * 5, half_grey], squares)) == 1


def test_same_seed_same_patches():
    picture = np.random.default_rng(0).integers(0, 256, (120, 200), dtype=np.uint8)
    first, second = (cut([picture] * 6, [square(50, 60)]) for _ in range(2))
    assert np.array_equal(first, second)

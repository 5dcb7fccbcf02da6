"""Reading photographs at the size at which they are matched."""

import numpy as np

from components.example_gen.formats import images
from components.example_gen.geometry import homography
from components.matching import photograph
from tests.support.pictures import texture


def write(path, width, height):
    path.write_bytes(images.encode_png(texture(width, height)))
    return str(path)


def test_a_small_photograph_stays_as_it_is(tmp_path):
    path = write(tmp_path / "a.png", 120, 80)
    read = photograph.read(path, 120)
    np.testing.assert_array_equal(read.image, texture(120, 80))
    assert (read.size, read.full_size) == ((120, 80), (120, 80))
    np.testing.assert_array_equal(read.to_full, np.eye(3))


def test_a_large_one_is_shrunk_by_averages_and_keeps_its_shape(tmp_path):
    read = photograph.read(write(tmp_path / "a.png", 80, 120), 60)
    assert (read.size, read.full_size) == ((40, 60), (80, 120))
    means = texture(80, 120).reshape(60, 2, 40, 2).mean((1, 3))
    assert np.abs(read.image - means).max() <= 0.51
    # The first pixel covers two by two.
    np.testing.assert_allclose(homography.project(read.to_full, np.zeros((1, 2))), [[0.5, 0.5]])


def test_homographies_go_from_the_files_size_to_the_matched_one_and_back(tmp_path):
    first = photograph.read(write(tmp_path / "a.png", 200, 100), 100)
    second = photograph.read(write(tmp_path / "b.png", 80, 60), 100)
    shift = np.array([[1.0, 0, 10], [0, 1, 4], [0, 0, 1]])
    matched = photograph.to_matched_size(shift, first, second)
    # Pixel (20, 30) as matched is (40.5, 60.5) in the file, (50.5, 64.5) in the second.
    np.testing.assert_allclose(homography.project(matched, np.array([[20.0, 30]])), [[50.5, 64.5]])
    np.testing.assert_allclose(photograph.to_full_size(-2 * matched, first, second), shift)

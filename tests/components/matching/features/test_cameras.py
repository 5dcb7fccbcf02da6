"""What a file says of its camera, and its pixels as they are stored."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from components.example_gen.formats import images
from components.matching.features import cameras


def write(path, pixels, orientation=None, film=None, model=None):
    exif = Image.Exif()
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    if model is not None:
        exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = model
    if film is not None:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = film
    Image.fromarray(pixels).save(path, exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_those_of_the_file_whatever_its_orientation(tmp_path, orientation):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    path = str(tmp_path / "a.png")
    write(path, pixels, orientation)
    upright = images.read_grey(path)
    assert (upright.shape == (4, 3)) == (orientation >= 5)
    stored, camera = cameras.read(path, upright)
    np.testing.assert_array_equal(stored, pixels)
    assert (camera.width, camera.height) == (4, 3)


def test_a_focal_length_on_film_is_one_in_pixels(tmp_path):
    path = str(tmp_path / "a.jpg")
    write(path, np.zeros((48, 72), np.uint8), film=18, model=("Maker", "One"))
    camera = cameras.read(path, images.read_grey(path))[1]
    assert camera == cameras.Camera(72, 48, 36.0, True, "Maker One")


def test_without_exif_the_focal_length_is_colmaps_guess(tmp_path):
    path = str(tmp_path / "a.png")
    write(path, np.zeros((50, 40), np.uint8))
    camera = cameras.read(path, images.read_grey(path))[1]
    assert camera == cameras.Camera(40, 50, 60.0, False, "")

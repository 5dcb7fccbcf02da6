import os
import subprocess
import sys
import warnings

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from components.example_gen.formats import images
from tests.support.pictures import texture
from trainer.core.errors import UserError


def write(path, pixels):
    cv2.imwrite(str(path), pixels)
    return str(path)


def test_the_real_strip_holds_patch_i_in_rows_65i_to_65i_plus_64(shared):
    path = str(shared / "hpatches" / "ref.png")
    strip = images.read_strip(path)
    whole = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    assert strip.shape == (1123, 65, 65)
    assert strip.dtype == np.uint8
    for i in (0, 1, 700, 1122):
        np.testing.assert_array_equal(strip[i], whole[65 * i : 65 * i + 65])


def test_an_encoded_strip_reads_back_equal(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (130, 65), np.uint8)
    (tmp_path / "ref.png").write_bytes(images.encode_png(pixels))
    np.testing.assert_array_equal(
        images.read_strip(str(tmp_path / "ref.png")), pixels.reshape(2, 65, 65)
    )


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (np.zeros((130, 64), np.uint8), "is 64 pixels wide, expected 65"),
        (np.zeros((131, 65), np.uint8), "is 131 pixels high, expected a multiple of 65"),
        (np.zeros((65, 65, 3), np.uint8), "is an 8-bit RGB PNG, expected 8-bit grey"),
        (np.zeros((65, 65, 4), np.uint8), "8-bit RGBA PNG, expected 8-bit grey"),
        (np.zeros((65, 65), np.uint16), "is a 16-bit grey PNG, expected 8-bit grey"),
    ],
)
def test_a_strip_of_another_shape_or_depth_is_refused(tmp_path, pixels, sentence):
    path = write(tmp_path / "e1.png", pixels)
    for read in (images.read_strip, images.strip_length):
        with pytest.raises(UserError, match=sentence) as caught:
            read(path)
        assert path in str(caught.value)


@pytest.mark.parametrize("kept", [0.3, 0.99, -1, -4, -12])
def test_a_truncated_strip_is_refused(tmp_path, kept):
    data = images.encode_png(texture(65, 650))
    end = int(len(data) * kept) if 0 < kept < 1 else kept
    (tmp_path / "h1.png").write_bytes(data[:end])
    with pytest.raises(UserError, match=r"h1\.png: is truncated"):
        images.read_strip(str(tmp_path / "h1.png"))


def test_a_strip_with_a_flipped_bit_is_refused(tmp_path):
    data = bytearray(images.encode_png(texture(65, 650)))
    data[len(data) // 2] ^= 1
    (tmp_path / "h1.png").write_bytes(bytes(data))
    with pytest.raises(UserError, match="is damaged"):
        images.read_strip(str(tmp_path / "h1.png"))
    with pytest.raises(UserError, match=r"nowhere\.png: cannot be read \(No such file"):
        images.read_strip(str(tmp_path / "nowhere.png"))


@pytest.mark.parametrize("read", [images.read_strip, images.strip_length])
@pytest.mark.parametrize("data", [b"\xff\xd8\xff\xe0 a JPEG", b"text"])
def test_what_is_no_png_is_refused_as_a_strip(tmp_path, data, read):
    (tmp_path / "ref.png").write_bytes(data)
    with pytest.raises(UserError, match="is not a PNG, expected an 8-bit grey PNG strip"):
        read(str(tmp_path / "ref.png"))


@pytest.mark.parametrize("read", [images.read_strip, images.strip_length])
@pytest.mark.parametrize("length", [0, 5, 20])
def test_a_strip_cut_off_in_its_header_is_refused(tmp_path, length, read):
    whole = images.encode_png(np.zeros((65, 65), np.uint8))
    (tmp_path / "ref.png").write_bytes(whole[:length])
    with pytest.raises(UserError, match=f"is truncated after {length} bytes"):
        read(str(tmp_path / "ref.png"))


def test_the_length_of_a_strip_stands_in_its_header(tmp_path):
    whole = images.encode_png(np.zeros((65 * 7, 65), np.uint8))
    (tmp_path / "ref.png").write_bytes(whole[:40])
    assert images.strip_length(str(tmp_path / "ref.png")) == 7


def test_headers_of_images_are_checked_without_their_pixels(tmp_path):
    path = tmp_path / "1.png"
    whole = images.encode_png(np.zeros((300, 300), np.uint8))
    path.write_bytes(whole[: len(whole) // 2])
    images.check_header(str(path))
    path.write_bytes(b"not an image")
    with pytest.raises(UserError, match=r"1\.png: cannot be decoded \(no image format is recog"):
        images.check_header(str(path))
    cv2.imwrite(str(path), np.zeros((30, 30), np.uint16))
    with pytest.raises(UserError, match=r"1\.png: holds 16-bit pixels"):
        images.check_header(str(path))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "ppm", "webp"])
def test_colour_becomes_grey_by_luma_weights(tmp_path, suffix):
    pixels = np.full((20, 30, 3), (0, 0, 255), np.uint8)  # red, in OpenCV's order
    grey = images.read_grey(write(tmp_path / f"red.{suffix}", pixels))
    assert grey.shape == (20, 30)
    assert abs(int(grey[10, 10]) - 76) <= 2  # 0.299 * 255


def test_grey_images_keep_their_values_and_alpha_is_dropped(tmp_path):
    pixels = texture()
    np.testing.assert_array_equal(images.read_grey(write(tmp_path / "a.pgm", pixels)), pixels)
    clear = np.full((20, 30, 4), 100, np.uint8)
    clear[..., 3] = 0
    assert images.read_grey(write(tmp_path / "a.png", clear))[0, 0] == 100
    grey = Image.fromarray(np.full((20, 30), 90, np.uint8))
    grey.convert("P").save(tmp_path / "p.png")
    Image.merge("LA", (grey, Image.new("L", grey.size, 0))).save(tmp_path / "la.png")
    for name in ("p.png", "la.png"):
        assert (images.read_grey(str(tmp_path / name)) == 90).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_upright_as_opencv_reads_it_in_every_format(tmp_path, orientation):
    tag = Image.Exif()
    tag[ExifTags.Base.Orientation] = orientation
    picture = Image.fromarray(texture(60, 40))
    for suffix in ("png", "tif", "webp", "jpg"):
        picture.save(tmp_path / f"a.{suffix}", exif=tag, lossless=True, quality=100)
    upright = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_GRAYSCALE)
    for suffix in ("png", "tif", "webp"):
        np.testing.assert_array_equal(images.read_grey(str(tmp_path / f"a.{suffix}")), upright)
    jpeg = images.read_grey(str(tmp_path / "a.jpg")).astype(int)
    np.testing.assert_allclose(jpeg, upright, atol=4)


def test_one_picture_in_two_formats_is_read_alike(shared):
    cases = shared / "cases"
    for one, other in (
        ("rgba-tiff/alpha.tif", "rgba-tiff/alpha.png"),
        ("exif-sequence/exif6.tif", "exif-sequence/exif6.jpg"),
        ("pgm-maxval/maxval100.pgm", "pgm-maxval/grey.png"),
    ):
        pixels = [images.read_grey(str(cases / name)).astype(int) for name in (one, other)]
        assert pixels[0].shape == pixels[1].shape
        assert np.abs(pixels[0] - pixels[1]).mean() < 2, one


@pytest.mark.parametrize(
    ("name", "channels"), [("a.png", (3,)), ("a.tif", (3,)), ("a.ppm", (3,)), ("a.png", ())]
)
def test_sixteen_bits_are_refused(tmp_path, name, channels):
    path = write(tmp_path / name, np.full((20, 30, *channels), 5000, np.uint16))
    with pytest.raises(UserError, match=r"holds .*16.* pixels, expected 8 bits"):
        images.read_grey(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "ppm"])
def test_a_truncated_photograph_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write(path, cv2.cvtColor(texture(400, 300), cv2.COLOR_GRAY2BGR))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=f"a.{suffix}: cannot be decoded"):
        images.read_grey(str(path))


@pytest.mark.parametrize("kind", ["JPEG2000", "GIF", "ICNS", "text"])
def test_another_format_under_the_name_of_a_jpeg_reaches_no_decoder(tmp_path, kind):
    path = tmp_path / "a.jpg"
    if kind == "text":
        path.write_text("not an image")
    else:
        Image.new("RGB", (64, 64)).save(path, kind)
    for read in (images.read_grey, images.check_header):
        with pytest.raises(UserError, match=r"a\.jpg: cannot be decoded \(no image format is rec"):
            read(str(path))


def test_a_pipe_among_photographs_is_refused_by_its_header_and_whole(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    for read in (images.read_grey, images.check_header, images.read_strip, images.strip_length):
        with pytest.raises(UserError, match=r"a\.jpg: is a named pipe"):
            read(str(tmp_path / "a.jpg"))


def _header(path, width, height):
    path.write_bytes(f"P5 {width} {height} 255\n".encode())
    return str(path)


def test_large_images_are_read_without_a_warning_and_larger_ones_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.check_header(_header(tmp_path / "a.pgm", 15_000, 13_000))  # Pillow's limit is 179
    too_large = _header(tmp_path / "b.pgm", 30_000, 20_000)
    for read in (images.check_header, images.read_grey):
        with pytest.raises(UserError, match=r"b\.pgm: is 30000x20000 pixels, expected at most 500"):
            read(too_large)


def test_pillows_warnings_do_not_reach_the_terminal(tmp_path):
    """As of a palette with several transparent colours."""
    path = tmp_path / "a.png"
    palette = Image.fromarray(texture(40, 30)).convert("P")
    palette.save(path, transparency=bytes(range(256)))
    code = f"from components.example_gen.formats import images; images.read_grey({str(path)!r})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stderr == ""


def test_a_small_copy_is_the_picture_at_a_fraction_of_its_size(tmp_path):
    picture = cv2.GaussianBlur(texture(1600, 1200), (0, 0), 8)
    for name, shape in (("a.jpg", (300, 400)), ("a.png", (1200, 1600))):
        cv2.imwrite(str(tmp_path / name), picture)
        small = images.read_small(str(tmp_path / name), 300)
        assert small.shape == shape
        expected = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - expected).max() < 12

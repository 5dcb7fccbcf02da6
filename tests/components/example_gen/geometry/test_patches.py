import cv2
import numpy as np
import pytest

from components.example_gen.geometry import frames, homography
from components.example_gen.geometry.patches import ImageSampler
from tests.support.pictures import texture


def square(x, y, half_width, angle=0.0):
    return frames.from_detections(np.array([[x, y, half_width]]), np.array([angle]), 1.0)


def test_a_region_of_65_pixels_is_cut_out_unchanged():
    image = texture()
    patch = ImageSampler(image).sample(square(90, 70, 32.5))[0]
    np.testing.assert_array_equal(patch, image[70 - 32 : 70 + 33, 90 - 32 : 90 + 33])


def test_the_orientation_turns_the_patch():
    image = texture()
    patch = ImageSampler(image).sample(square(90, 70, 32.5, np.pi / 2))[0]
    upright = image[70 - 32 : 70 + 33, 90 - 32 : 90 + 33]
    # The patch's x-axis points down in the image.
    difference = np.abs(patch.astype(int) - np.rot90(upright).astype(int))
    assert difference.max() <= 2


def test_pixels_come_from_where_the_projection_says():
    plane = np.tile(np.arange(240, dtype=np.uint8), (200, 1))
    matrix = np.array([[0.9, 0.1, 5], [-0.05, 1.05, 3], [4e-4, 2e-4, 1]])
    frame = matrix @ square(100, 90, 20.0)
    patch = ImageSampler(plane).sample(frame)[0].astype(float)
    steps = (2 * np.arange(65) + 1) / 65 - 1
    u, v = np.meshgrid(steps, steps)
    grid = np.stack([100 + 20 * u, 90 + 20 * v], axis=-1).reshape(-1, 2)
    expected = homography.project(matrix, grid)[:, 0].reshape(65, 65)
    assert np.abs(patch - expected).max() <= 0.6


def test_a_large_region_does_not_alias():
    checkers = np.indices((400, 400)).sum(0) % 2 * 255
    patch = ImageSampler(checkers.astype(np.uint8)).sample(square(200, 200, 150.0, 0.1))[0]
    assert patch.std() < 2
    assert abs(patch.mean() - 127.5) < 2


@pytest.mark.parametrize("spacing", [2**1.5, 8.0])
def test_a_patch_has_the_blur_of_a_camera_with_pixels_of_its_size(spacing):
    image = texture(700, 700)
    sampler = ImageSampler(image)
    patch = sampler.sample(square(350, 350, spacing * 65 / 2))[0]
    sigma = 0.5 * np.sqrt(spacing**2 - 1)
    blurred = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    places = (350 + spacing * (np.arange(65) - 32)).astype(np.float32)
    expected = cv2.remap(blurred, *np.meshgrid(places, places), cv2.INTER_LINEAR)
    assert np.abs(patch.astype(int) - expected).max() <= 1


def test_a_large_region_keeps_what_the_patch_can_show():
    wave = 128 + 100 * np.sin(np.arange(520) * 2 * np.pi / 80)
    image = np.tile(wave, (520, 1)).astype(np.uint8)
    patch = ImageSampler(image).sample(square(260, 260, 130.0))[0]  # 4 pixels per patch pixel
    small = cv2.resize(image[130:390, 130:390], (65, 65), interpolation=cv2.INTER_AREA)
    # The centre's pixel offset is half a pixel of 4: a shift of an eighth of a patch pixel.
    assert np.abs(patch[5:60, 5:60].astype(int) - small[5:60, 5:60].astype(int)).max() < 10
    assert patch.std() > 60


def test_patches_keep_their_order_whatever_their_size():
    image = texture(400, 300)
    rng = np.random.default_rng(0)
    points = np.column_stack(
        [rng.uniform(130, 270, 300), rng.uniform(120, 180, 300), rng.uniform(5, 110, 300)]
    )
    matrices = frames.from_detections(points, rng.uniform(0, 6, 300), 1.0)
    sampler = ImageSampler(image)
    together = sampler.sample(matrices)
    for place in (0, 150, 299):
        alone = ImageSampler(image).sample(matrices[place : place + 1])[0]
        np.testing.assert_array_equal(together[place], alone)


def test_no_frames_give_no_patches():
    assert ImageSampler(texture()).sample(np.empty((0, 3, 3))).shape == (0, 65, 65)

import cv2
import numpy as np
import pytest

from components.example_gen.geometry import frames, homography
from components.example_gen.geometry.patches import ImageSampler
from tests.support.pictures import texture


def square(x, y, half_width, angle=0.0):
    return frames.from_detections(np.array([[x, y, half_width]]), np.array([angle]), 1.0)


def test_a_half_width_of_32_pixels_gives_the_pixels_themselves():
    image = texture()
    patch = ImageSampler(image).sample(square(90, 70, 32.0))[0]
    np.testing.assert_array_equal(patch, image[70 - 32 : 70 + 33, 90 - 32 : 90 + 33])


def test_the_orientation_turns_the_patch():
    image = texture()
    patch = ImageSampler(image).sample(square(90, 70, 32.0, np.pi / 2))[0]
    upright = image[70 - 32 : 70 + 33, 90 - 32 : 90 + 33]
    # The patch's x-axis points down in the image.
    difference = np.abs(patch.astype(int) - np.rot90(upright).astype(int))
    assert difference.max() <= 2


def test_pixels_come_from_where_the_projection_says():
    plane = np.tile(np.arange(240, dtype=np.uint8), (200, 1))
    matrix = np.array([[0.9, 0.1, 5], [-0.05, 1.05, 3], [4e-4, 2e-4, 1]])
    frame = matrix @ square(100, 90, 20.0)
    patch = ImageSampler(plane).sample(frame)[0].astype(float)
    steps = np.arange(-32, 33) / 32
    u, v = np.meshgrid(steps, steps)
    grid = np.stack([100 + 20 * u, 90 + 20 * v], axis=-1).reshape(-1, 2)
    expected = homography.project(matrix, grid)[:, 0].reshape(65, 65)
    assert np.abs(patch - expected).max() <= 0.6


def test_the_outermost_samples_lie_on_the_half_width():
    ramp = np.tile(np.arange(200, dtype=np.uint8), (60, 1))
    patch = ImageSampler(ramp).sample(square(100, 30, 10.0))[0]
    assert patch[0, [0, 32, 64]].tolist() == [90, 100, 110]


def test_a_large_region_does_not_alias():
    checkers = np.indices((400, 400)).sum(0) % 2 * 255
    patch = ImageSampler(checkers.astype(np.uint8)).sample(square(200, 200, 150.0, 0.1))[0]
    assert patch.std() < 2
    assert abs(patch.mean() - 127.5) < 2


@pytest.mark.parametrize(
    ("spacing", "sigma"), [(1, 0), (1.01, 0.7), (2, 0.7), (2.01, 1.6), (4, 1.6), (4.01, 3.2)]
)
def test_the_image_is_blurred_by_how_much_a_patch_shrinks_it(spacing, sigma):
    image = texture(700, 700)
    patch = ImageSampler(image).sample(square(350, 350, spacing * 32))[0]
    if sigma:
        image = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    places = (350 + spacing * (np.arange(65) - 32)).astype(np.float32)
    expected = cv2.remap(image, *np.meshgrid(places, places), cv2.INTER_LINEAR)
    assert np.abs(patch.astype(int) - expected).max() <= 1


def test_a_patch_that_is_squeezed_in_one_direction_is_blurred_by_the_mean_of_both():
    image = texture(700, 700)
    frame = np.array([[2 * 32.0, 0, 350], [0, 32 / 2.1, 350], [0, 0, 1]])[None]
    sharp = cv2.remap(
        image,
        *np.meshgrid(
            (350 + 2 * np.arange(-32, 33)).astype(np.float32),
            (350 + np.arange(-32, 33) / 2.1).astype(np.float32),
        ),
        cv2.INTER_LINEAR,
    )
    patch = ImageSampler(image).sample(frame)[0]
    assert np.abs(patch.astype(int) - sharp).max() <= 2


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

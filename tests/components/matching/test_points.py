"""The strongest points of a photograph."""

import cv2
import numpy as np
import pytest

from components.example_gen.geometry import detection, frames
from components.example_gen.geometry.patches import ImageSampler
from components.example_gen.settings import ExtractionSettings
from components.matching import points
from components.matching.photograph import Photograph
from tests.support.pictures import texture
from trainer.core.errors import UserError

RULES = ExtractionSettings()


def photograph(image):
    return Photograph("a.png", image, image.shape[::-1])


def test_unsmoothed_patches_are_cut_as_training_cuts_them():
    image = texture(300, 240)
    rules = RULES.model_copy(update={"smoothing": 0.0})
    strongest = points.find(photograph(image), rules, 50)
    assert len(strongest) == 50
    angles = detection.orientations(image, strongest.positions)
    squares = frames.from_detections(strongest.positions, angles, RULES.region)
    assert frames.inside(squares, 300, 240).all()
    np.testing.assert_array_equal(strongest.patches, ImageSampler(image).sample(squares))


def test_the_strongest_points_come_first_and_do_not_overlap():
    image = texture(300, 240)
    few, many = (points.find(photograph(image), RULES, limit) for limit in (20, 60))
    np.testing.assert_array_equal(many.positions[:20], few.positions)
    assert (many.positions[:, 2] >= RULES.min_sigma).all()
    assert many.strengths.tolist() == sorted(many.strengths, reverse=True)
    strength = detection.detect_rated(image, RULES)[1]
    assert many.strengths[0] == pytest.approx(strength.max(), rel=0.1)
    places = many.positions.astype(np.float64)
    assert not len(frames.overlapping_pairs(places, RULES.max_overlap)[0])


def test_a_photograph_with_fewer_points_gives_what_it_has():
    image = texture(120, 100)
    assert 0 < len(points.find(photograph(image), RULES, 10_000)) < 1000


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (texture(40, 10), "a.png: is 40x10 pixels, expected at least 16 on the"),
        (np.full((80, 90), 120, np.uint8), r"a.png: no point was found .*\(90x80 pixels\)"),
    ],
)
def test_a_photograph_that_is_too_small_or_shows_nothing_is_refused(image, sentence):
    with pytest.raises(UserError, match=sentence):
        points.find(photograph(image), RULES, 10)


def test_points_smaller_than_training_has_come_after_all_others():
    found = points.find(photograph(texture(300, 240)), RULES, 10_000)
    small = found.positions[:, 2] < RULES.min_sigma
    assert 50 < small.sum() < len(found) - 50
    assert not small[: -small.sum()].any()
    assert found.positions[small, 2].min() >= points.MIN_SIGMA
    strengths = found.strengths[small].tolist()
    assert strengths == sorted(strengths, reverse=True)


def blob(x, y, sigma, size=121):
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return (40 + 180 * spot).astype(np.uint8)


def test_sift_puts_a_spot_where_it_is_and_says_its_size():
    found = points.from_opencv(points.sift_keypoints(blob(60.3, 55.6, 6.0), 1))
    x, y, sigma = found.positions[0]
    assert (x, y) == pytest.approx((60.3, 55.6), abs=0.05)
    assert sigma == pytest.approx(6.0, rel=0.2)


def test_angles_of_sift_run_as_ours():
    image = texture(300, 240)
    found = points.from_opencv(points.sift_keypoints(image, 400))
    inner = frames.discs_inside(found.positions, 5.0, 300, 240) & (found.positions[:, 2] > 1.6)
    ours = detection.orientations(image, found.positions[inner])
    off = np.angle(np.exp(1j * (found.angles[inner] - ours)))
    assert inner.sum() > 50
    assert np.median(np.abs(off)) < np.deg2rad(5)


def test_points_of_sift_stay_at_the_rim_and_the_edge_is_repeated():
    image = texture(300, 240)
    found = points.find(photograph(image), RULES, 2000, "sift")
    assert not frames.discs_inside(found.positions, RULES.region, 300, 240).all()
    padded = np.pad(image, 100, mode="edge")
    positions = found.positions + np.float32([100, 100, 0])
    moved = points.Keypoints(positions, found.angles, found.strengths)
    again = points.cut(padded, moved, RULES.region, RULES.smoothing)
    off = np.abs(again.astype(int) - found.patches)
    assert np.mean(off <= 1) > 0.98


def test_a_larger_region_shows_more():
    image = blob(60, 60, 5.0)
    one = points.Keypoints(np.float32([[60, 60, 5]]), np.zeros(1), np.ones(1))
    near, far = (points.cut(image, one, region)[0] for region in (5.0, 10.0))
    np.testing.assert_allclose(far[20:45:2, 32], near[8:58:4, 32], atol=6)


@pytest.mark.parametrize(
    ("sigma", "smoothing", "blur"),
    [
        (8.0, 0.5, np.sqrt(4.0**2 - 0.5**2)),
        (9.4, 0.5, np.sqrt(4.0**2 - 0.5**2)),  # nearer to 8 than to 11.3
        (9.6, 0.5, np.sqrt(32 - 0.5**2)),
        (1.0, 0.5, 0.0),  # no sharper than an image is by itself
        (1.0, 0.58, 0.0),  # 0.294 pixels are not worth it
        (8.0, 0.0, 0.0),
    ],
)
def test_an_image_is_blurred_in_proportion_to_the_point(sigma, smoothing, blur):
    image = texture(300, 240)
    one = points.Keypoints(np.float32([[150, 120, sigma]]), np.zeros(1), np.ones(1))
    smooth = image
    if blur:
        smooth = cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
    expected = points.cut(smooth, one, 5.0, 0.0)
    np.testing.assert_array_equal(points.cut(image, one, 5.0, smoothing), expected)


def test_points_of_different_sizes_keep_their_order():
    image = texture(300, 240)
    positions = np.float32([[150, 120, 9], [100, 90, 2], [180, 100, 5]])
    three = points.Keypoints(positions, np.zeros(3), np.ones(3))
    together = points.cut(image, three, 6.0, 0.35)
    for row in range(3):
        one = points.Keypoints(positions[row : row + 1], np.zeros(1), np.ones(1))
        np.testing.assert_array_equal(together[row], points.cut(image, one, 6.0, 0.35)[0])

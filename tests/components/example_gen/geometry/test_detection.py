import cv2
import numpy as np
import pytest
from scipy.stats import norm

from components.example_gen.geometry import detection
from components.example_gen.settings import ExtractionSettings
from tests.support.pictures import texture


def blob(sigma, x=70, y=50, height=120, width=150):
    yy, xx = np.mgrid[:height, :width]
    bump = np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * sigma**2))
    return (60 + 150 * bump).astype(np.uint8)


@pytest.mark.parametrize("sigma", [2.0, 3.3, 6.0])
@pytest.mark.parametrize("detector", ["hessian", "dog"])
def test_a_blob_is_found_at_its_place_and_scale(detector, sigma):
    points = detection.detect(blob(sigma), ExtractionSettings(detectors=(detector,)))
    near = points[np.linalg.norm(points[:, :2] - [70, 50], axis=1) < 1.5]
    assert len(near)
    # det Hessian and the Laplacian peak where the filter is as wide as the blob.
    assert np.abs(np.log2(near[:, 2] / sigma)).max() < 0.35  # and at no other scale


def test_harris_finds_corners_and_neither_edges_nor_the_middle():
    image = np.full((120, 150), 50, np.uint8)
    image[40:90, 50:110] = 200
    points = detection.detect(image, ExtractionSettings(detectors=("harris",)))
    corners = np.array([[50, 40], [109, 40], [50, 89], [109, 89]])
    distance = np.linalg.norm(points[:, None, :2] - corners, axis=2)
    # Blur draws the maximum inwards, by less than the scale at which it is found.
    assert (distance.min(0) < 3).all()
    assert (distance.min(1) < 2 * points[:, 2]).all()


@pytest.mark.parametrize("detector", ["hessian", "harris", "dog"])
def test_nothing_is_found_where_nothing_is(detector):
    flat = np.full((100, 120), 90, np.uint8)
    assert len(detection.detect(flat, ExtractionSettings(detectors=(detector,)))) == 0


@pytest.mark.parametrize("detector", ["hessian", "harris", "dog"])
def test_an_image_at_half_size_has_its_points_at_half_the_scale(detector):
    image = cv2.resize(texture(256, 256, seed=3), (512, 512), interpolation=cv2.INTER_CUBIC)
    half = cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA)
    settings = ExtractionSettings(detectors=(detector,))
    large, small = detection.detect(image, settings), detection.detect(half, settings)
    large = large[large[:, 2] > 6]
    place = (large[:, :2] - 0.5) / 2  # pixel centres
    distance = np.linalg.norm(place[:, None] - small[None, :, :2], axis=2)
    ratio = np.abs(np.log2(large[:, None, 2] / 2 / small[None, :, 2]))
    again = ((distance < 1.5) & (ratio < 0.4)).any(1)
    assert len(large) >= 10
    assert again.mean() > 0.7


@pytest.mark.parametrize("detector", ["hessian", "harris"])
def test_points_are_found_at_every_third_of_an_octave(detector):
    points = detection.detect(texture(512, 512, seed=3), ExtractionSettings(detectors=(detector,)))
    thirds = np.round(3 * np.log2(points[:, 2] / 1.6)).astype(int)
    counts = np.bincount(thirds[thirds >= 0] % 3, minlength=3)
    assert counts.min() > 0.1 * counts.sum()


def test_strengths_are_of_grey_levels_from_0_to_1():
    """A blob of amplitude A and width w has the scale-normalised determinant
    (A w^2 s^2 / (w^2 + s^2)^2)^2 at scale s.
    """
    rules = ExtractionSettings(detectors=("hessian",))
    points, strength = detection.detect_rated(blob(6.0), rules)
    nearest = np.linalg.norm(points[:, :2] - [70, 50], axis=1).argmin()
    scale = points[nearest, 2] ** 2
    curvature = 150 / 255 * 6.0**2 * scale / (6.0**2 + scale) ** 2
    expected = curvature / np.sqrt(2e-4)
    assert strength[nearest] == pytest.approx(expected, rel=0.2)


def test_corners_are_integrated_over_a_window_of_1_4_times_the_scale():
    """Of min(x, 0) + min(y, 0), the gradients' products are steps, and blurred they are normal
    distribution functions of the distance in units of the window.
    """
    sigma = 5.0
    ramp = np.minimum(np.arange(-40, 41, dtype=np.float32), 0)
    strength = detection._corner_strength(ramp[None] + ramp[:, None], sigma)
    for steps in (2, 7, 14):
        share = norm.cdf(-steps / (1.4 * sigma))
        expected = sigma**2 * (share - share**3) / 2  # determinant over trace
        assert strength[40 + steps, 40 + steps] == pytest.approx(expected, rel=0.08)


def test_scales_respect_the_limits():
    image = texture(300, 240)
    points = detection.detect(image, ExtractionSettings(min_sigma=2.0))
    assert points.dtype == np.float32
    assert points[:, 2].min() >= 2
    assert points[:, 2].max() <= 240 / 10


@pytest.mark.parametrize("detector", ["hessian", "harris"])
@pytest.mark.parametrize("sigma", [3.0, 6.0, 12.0])
def test_a_blob_is_located_to_a_twentieth_of_a_pixel(detector, sigma):
    for x, y in ((127.7, 128.4), (128.2, 127.9)):
        points = detection.detect(
            blob_at(x, y, sigma), ExtractionSettings(detectors=(detector,), min_sigma=1.6)
        )
        away = np.hypot(points[:, 0] - x, points[:, 1] - y) + 0.1 * np.abs(points[:, 2] - sigma)
        nearest = points[away.argmin()]
        assert np.abs(nearest[:2] - [x, y]).max() < 0.05
        assert nearest[2] == pytest.approx(sigma, rel=0.03)


@pytest.mark.parametrize("sigma", [1.5, 3.0, 6.0, 12.0])
def test_a_dog_point_lies_on_its_blob_and_has_its_scale(sigma):
    x, y = 127.7, 128.4
    points = detection.difference_of_gaussians(blob_at(x, y, sigma))
    nearest = points[np.hypot(points[:, 0] - x, points[:, 1] - y).argmin()]
    assert np.abs(nearest[:2] - [x, y]).max() < 0.06
    assert nearest[2] == pytest.approx(sigma, rel=0.035)


def blob_at(x, y, sigma):
    rows, columns = np.mgrid[:256, :256]
    squared = (columns - x) ** 2 + (rows - y) ** 2
    return np.uint8(np.round(60 + 120 * np.exp(-squared / (2 * sigma**2))))


@pytest.mark.parametrize("degrees", [0, 37, 90, 200, 359])
def test_the_orientation_is_that_of_the_gradient(degrees):
    angle = np.deg2rad(degrees)
    y, x = np.mgrid[:100, :100] - 50.0
    edge = 128 + 100 * np.tanh((x * np.cos(angle) + y * np.sin(angle)) / 5)
    measured = detection.orientations(edge.astype(np.uint8), np.array([[50.0, 50, 3]]))[0]
    assert np.abs(np.angle(np.exp(1j * (measured - angle)))) < np.deg2rad(2)


def test_only_gradients_within_a_disc_vote_for_the_orientation():
    size = detection._ORIENTATION_SIZE
    steps = np.linspace(
        -detection._ORIENTATION_RADIUS, detection._ORIENTATION_RADIUS, size, dtype=np.float32
    )
    pixels = np.tile(np.arange(size, dtype=np.float32), (1, size, 1))  # rises along x
    pixels[0, :3, :3] += 1e7 * np.arange(3, dtype=np.float32)[:, None]  # and y in a corner
    assert np.abs(detection._dominant(pixels, steps)[0]) < 0.05


def test_orientations_are_measured_at_the_points_scale_less_the_cameras_blur(monkeypatch):
    blurs = []
    original = cv2.GaussianBlur

    def recorded(source, size, sigma, **options):
        blurs.append(sigma)
        return original(source, size, sigma, **options)

    monkeypatch.setattr(cv2, "GaussianBlur", recorded)
    detection.orientations(texture(100, 100), np.array([[50.0, 50, 2], [50, 50, 4]]))
    np.testing.assert_allclose(blurs, np.sqrt([2**2 - 0.5**2, 4**2 - 0.5**2]))


def test_orientations_turn_with_the_image():
    image = texture(201, 201)
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(60, 140, (40, 2)), rng.uniform(2, 8, 40)]).astype(
        np.float32
    )
    turned = points.copy()
    turned[:, 0], turned[:, 1] = points[:, 1], 200 - points[:, 0]  # np.rot90
    before = detection.orientations(image, points)
    after = detection.orientations(np.ascontiguousarray(np.rot90(image)), turned)
    difference = np.angle(np.exp(1j * (after - (before - np.pi / 2))))
    assert (np.abs(difference) < 0.05).mean() > 0.9  # two peaks of one height may swap


@pytest.mark.parametrize("detector", ["hessian", "harris", "dog"])
def test_a_strength_says_which_thresholds_a_point_survives(detector, monkeypatch):
    image = texture(300, 240)
    rules = ExtractionSettings(detectors=(detector,))
    points, strength = detection.detect_rated(image, rules)
    np.testing.assert_array_equal(points, detection.detect(image, rules))
    assert strength.min() >= 1
    half = len(points) // 2
    limit = float(np.sort(strength)[half - 1 : half + 1].mean())
    # Responses of Hessian and Harris are squares of contrasts, that of DoG is a contrast.
    factor = limit if detector == "dog" else limit**2
    monkeypatch.setitem(detection._THRESHOLDS, detector, factor * detection._THRESHOLDS[detector])
    survivors = detection.detect(image, rules)
    assert len(points) - half == len(survivors) > 20
    np.testing.assert_array_equal(points[strength > limit], survivors)

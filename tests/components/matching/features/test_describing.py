"""Whole photographs, described by a handcrafted descriptor."""

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from components.descriptor_evaluator.descriptors import handcrafted
from components.example_gen.settings import ExtractionSettings
from components.matching import photograph, points
from components.matching.features import describing, formats
from components.matching.settings import FeatureSettings
from tests.support.pictures import texture
from trainer.core.errors import UserError

FEW = FeatureSettings(points=60)


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images"
    (images / "sub").mkdir(parents=True)
    cv2.imwrite(str(images / "b.png"), texture(200, 160, seed=1))
    cv2.imwrite(str(images / "sub/a.png"), texture(180, 150, seed=2))
    return images


def describe(folder, output, settings=FEW, **options):
    path = str(folder.parent / output)
    done = describing.describe(
        str(folder), [path], baseline="rootsift", settings=settings, **options
    )
    return done, path


def test_points_are_those_that_matching_finds(folder):
    done, path = describe(folder, "f.npz")
    assert (done.photographs, done.points, done.dimension) == (2, 120, 128)
    store = formats.read(path)
    assert store.counts == {"b.png": 60, "sub/a.png": 60}
    assert store.identity["descriptor"] == "rootsift"
    assert store.identity["patch"] == {"measurement_region": 7.5, "smoothing": 0.5}
    rules = ExtractionSettings()
    found = points.find(photograph.read(str(folder / "b.png"), 1000), rules, 60)
    wanted = handcrafted.describe("rootsift", found.patches)
    np.testing.assert_array_equal(store.descriptors("b.png"), wanted)
    keypoints = np.load(path)["b.png/keypoints"]
    np.testing.assert_array_equal(keypoints[:, :3], found.positions)
    np.testing.assert_array_equal(keypoints[:, 3], found.angles.astype(np.float32))


def test_positions_are_in_pixels_of_the_file_though_it_is_shrunk(folder):
    large = cv2.resize(cv2.imread(str(folder / "b.png"), 0), (600, 480))
    cv2.imwrite(str(folder / "b.png"), large)
    path = describe(folder, "f.npz", FeatureSettings(points=60, max_side=200))[1]
    keypoints = np.load(path)["b.png/keypoints"]
    small = cv2.resize(large, (200, 160), interpolation=cv2.INTER_AREA)
    shrunk = photograph.Photograph("b.png", small, (600, 480))
    found = points.find(shrunk, ExtractionSettings(), 60)
    np.testing.assert_allclose(keypoints[:, :2], found.positions[:, :2] * 3 + 1, rtol=1e-5)
    np.testing.assert_allclose(keypoints[:, 2], found.positions[:, 2] * 3, rtol=1e-5)


def test_a_turned_photograph_has_positions_in_its_stored_pixels(folder):
    pixels = texture(200, 160, seed=1)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(pixels).save(folder / "turned.png", exif=exif)
    Image.fromarray(pixels).save(folder / "plain.png")
    store = np.load(describe(folder, "f.npz")[1])
    for what in ("keypoints", "descriptors", "image_size"):
        np.testing.assert_array_equal(store[f"turned.png/{what}"], store[f"plain.png/{what}"])


def test_keypoints_of_sift_are_described_where_they_are(folder):
    path = describe(folder, "f.npz", FeatureSettings(points=60, detector="sift"))[1]
    detected = points.sift_keypoints(texture(200, 160, seed=1), 60)
    keypoints = np.load(path)["b.png/keypoints"]
    np.testing.assert_allclose(keypoints[:, :2], [point.pt for point in detected], rtol=1e-6)


def test_a_bad_image_is_told_and_skipped_on_request(folder):
    (folder / "c.jpg").write_text("hello")
    cv2.imwrite(str(folder / "flat.png"), np.full((120, 100), 90, np.uint8))
    with pytest.raises(UserError, match=r"c.jpg: cannot be decoded .*\(--skip-bad-images goes on"):
        describe(folder, "f.h5")
    assert [path.name for path in folder.parent.iterdir()] == ["images"]
    done, path = describe(folder, "f.h5", skip_bad=True)
    assert sorted(formats.read(path).counts) == ["b.png", "sub/a.png"]
    assert len(done.skipped) == 2
    assert "flat.png: no point was found" in done.skipped[1]


def test_images_that_are_all_bad_are_refused(folder):
    for path in folder.rglob("*.png"):
        path.write_text("hello")
    with pytest.raises(UserError, match=r"none of 2 images can be used; .*b.png: cannot be"):
        describe(folder, "f.h5", skip_bad=True)
    assert [path.name for path in folder.parent.iterdir()] == ["images"]


def test_several_files_are_written_at_once(folder):
    outputs = [str(folder.parent / f"f.{kind}") for kind in ("h5", "db")]
    describing.describe(str(folder), outputs, baseline="rootsift", settings=FEW)
    counts = [formats.read(path).counts for path in outputs]
    assert counts[0] == counts[1] == {"b.png": 60, "sub/a.png": 60}

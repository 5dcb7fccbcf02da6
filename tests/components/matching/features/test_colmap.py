"""COLMAP's database: what SQLite finds in it, and what COLMAP itself does."""

import math
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from components.matching.features import colmap
from components.matching.features.cameras import Camera
from components.matching.mutual import Matches
from tests.components.matching.features.described import CAMERA, IDENTITY, features
from tests.support.colmap import ask
from trainer.core.errors import UserError


def matches(*pairs):
    first, second = np.array(pairs).reshape(-1, 2).T
    return Matches(first, second, np.ones(len(first)), np.ones(len(first)))


@pytest.fixture
def database(tmp_path):
    """Two photographs of one camera, and one of another."""
    path = str(tmp_path / "scene.db")
    with colmap.writing_features(path, IDENTITY) as add:
        add(features("b.jpg"))
        add(features("a.jpg", count=4))
        add(features("c.jpg", count=3, camera=Camera(800, 600, 700.0, True, "Maker One")))
    return path


def rows(path, query):
    with closing(sqlite3.connect(path)) as opened:
        return opened.execute(query).fetchall()


def test_photographs_of_one_camera_share_it(database):
    found = rows(database, "SELECT name, camera_id FROM images ORDER BY image_id")
    assert found == [("b.jpg", 1), ("a.jpg", 1), ("c.jpg", 2)]
    query = "SELECT model, width, height, params, prior_focal_length FROM cameras"
    first, second = rows(database, query)
    assert (*first[:3], first[4]) == (2, 640, 480, 0)
    assert np.frombuffer(first[3]).tolist() == [CAMERA.focal_length, 320, 240, 0]
    assert (*second[:3], second[4]) == (2, 800, 600, 1)


def test_keypoints_move_by_half_a_pixel_and_have_an_affine_shape(database):
    one = features("b.jpg")
    ((count, columns, blob),) = rows(
        database, "SELECT rows, cols, data FROM keypoints WHERE image_id = 1"
    )
    assert (count, columns) == (5, 6)
    stored = np.frombuffer(blob, np.float32).reshape(5, 6)
    np.testing.assert_allclose(stored[:, :2], one.positions[:, :2] + 0.5, rtol=1e-6)
    # The matrix takes the x-axis to the orientation, and a circle of 1 to one of sigma.
    shapes = stored[:, 2:].reshape(5, 2, 2).astype(float)
    angles = [math.atan2(*shape[::-1, 0]) for shape in shapes]
    np.testing.assert_allclose(angles, one.angles, atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(shapes), one.positions[:, 2] ** 2, rtol=1e-5)


def test_descriptors_are_bytes_whose_distances_are_those_of_the_descriptors(database):
    store = colmap.Database(database)
    assert store.counts == {"a.jpg": 4, "b.jpg": 5, "c.jpg": 3}
    assert store.identity == IDENTITY
    read, true = store.descriptors("b.jpg"), features("b.jpg").descriptors
    ours = [np.linalg.norm(codes[1:] - codes[0], axis=1) for codes in (read, true)]
    np.testing.assert_allclose(ours[0], ours[1], rtol=0.03)
    store.close()


def test_matches_of_a_pair_are_in_the_order_of_the_images_numbers(database):
    with colmap.adding_matches(database) as add:
        add("a.jpg", "b.jpg", 4, matches((0, 4), (2, 1)))
        add("b.jpg", "c.jpg", 5, matches())
    found = rows(database, "SELECT pair_id, rows, cols, data FROM matches ORDER BY pair_id")
    assert [row[:3] for row in found] == [(2147483647 + 2, 2, 2), (2147483647 + 3, 0, 2)]
    assert np.frombuffer(found[0][3], np.uint32).tolist() == [4, 0, 1, 2]  # b.jpg is image 1


@pytest.mark.parametrize(
    ("pair", "count", "sentence"),
    [
        (("a.jpg", "b.jpg"), 4, "holds matches of a.jpg and b.jpg already"),
        (("a.jpg", "c.jpg"), 7, "holds 4 keypoints of a.jpg, expected the 7 of the features"),
        (("b.jpg", "d.jpg"), 5, "holds no keypoints of d.jpg"),
    ],
)
def test_what_does_not_belong_to_the_database_changes_nothing(database, pair, count, sentence):
    with colmap.adding_matches(database) as add:
        add("a.jpg", "b.jpg", 4, matches((0, 0)))
    with (
        pytest.raises(UserError, match=f"scene.db: {sentence}"),
        colmap.adding_matches(database) as add,
    ):
        add("b.jpg", "c.jpg", 5, matches((0, 0)))
        add(*pair, count, matches((0, 0)))
    assert rows(database, "SELECT COUNT(*) FROM matches") == [(1,)]


def test_descriptors_that_are_too_long_are_refused_and_nothing_is_left(tmp_path):
    path = str(tmp_path / "scene.db")
    with (
        pytest.raises(UserError, match="descriptors of 130 numbers do not go into COLMAP's"),
        colmap.writing_features(path, IDENTITY) as add,
    ):
        add(features("a.jpg", dimension=130))
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_or_is_locked_is_refused(tmp_path, database):
    other = tmp_path / "other.db"
    other.write_bytes(b"no database, and longer than a header of SQLite" * 9)
    for use in (colmap.Database, colmap.check_for_matches):
        with pytest.raises(UserError, match=r"other.db: cannot be used as a COLMAP database"):
            use(str(other))
    with closing(sqlite3.connect(database, timeout=0)) as opened:
        opened.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="locked"):
            colmap.check_for_matches(database)


_READ = """
with pycolmap.Database.open(arguments[0]) as opened:
    image = opened.read_image_with_name("a.jpg").image_id
    keypoints = opened.read_keypoints(image).astype(float)
    names = ("x", "y", "a11", "a12", "a21", "a22")
    point = pycolmap.FeatureKeypoint(dict(zip(names, keypoints[0].tolist())))
    camera = opened.read_camera(1)
    answer = {
        "keypoints": keypoints.tolist(),
        "shape": [point.compute_scale(), point.compute_orientation(), point.compute_shear()],
        "descriptors": opened.num_descriptors(),
        "matches": opened.read_matches(image, 1).tolist(),
        "camera": [camera.model_name, camera.has_prior_focal_length],
    }
"""


def test_colmap_reads_what_was_written(database):
    with colmap.adding_matches(database) as add:
        add("a.jpg", "b.jpg", 4, matches((0, 4), (2, 1)))
    answer = ask(_READ, database)
    one = features("a.jpg", count=4)
    wanted = colmap.affine_keypoints(one.positions, one.angles)
    np.testing.assert_array_equal(answer["keypoints"], wanted)
    assert answer["shape"] == pytest.approx([one.positions[0, 2], one.angles[0], 0], abs=1e-4)
    assert answer["descriptors"] == 12
    assert answer["matches"] == [[0, 4], [2, 1]]
    assert answer["camera"] == ["SIMPLE_RADIAL", False]

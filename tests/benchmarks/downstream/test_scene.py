"""How far matches are off the other photograph's epipolar line."""

import json

import numpy as np
import pytest

from benchmarks.downstream import scene as scenes
from benchmarks.downstream.scene import CENTRE, FOCAL_LENGTH, Scene


def turn(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


POSES = np.stack(
    [
        np.hstack([np.eye(3), np.zeros((3, 1))]),
        np.hstack([turn(0.2), [[-1.0], [0.1], [0.2]]]),
    ]
)
SCENE = Scene("", ("a", "b"), -0.15, POSES)


def project(pose, points):
    """Pixels of points as a camera with radial distortion sees them; (0, 0) is a centre."""
    seen = points @ pose[:, :3].T + pose[:, 3]
    plane = seen[:, :2] / seen[:, 2:]
    distorted = plane * (1 - 0.15 * (plane**2).sum(axis=1, keepdims=True))
    return FOCAL_LENGTH * distorted + CENTRE - 0.5


@pytest.fixture
def places():
    rng = np.random.default_rng(0)
    points = rng.uniform([-2, -1.5, 5], [2, 1.5, 9], (50, 3))
    return np.stack([project(pose, points) for pose in POSES])


def test_views_of_one_point_lie_on_each_others_lines(places):
    assert SCENE.epipolar_errors((0, 1), places).max() < 1e-6
    assert SCENE.epipolar_errors((1, 0), places[::-1]).max() < 1e-6


def test_a_shift_across_the_line_is_told_in_pixels(places):
    places[1, :, 1] += 5  # the cameras stand side by side: lines are nearly level
    errors = SCENE.epipolar_errors((0, 1), places)
    assert np.median(errors) == pytest.approx(5, rel=0.15)
    np.testing.assert_allclose(errors, SCENE.epipolar_errors((1, 0), places[::-1]))


def test_rays_undo_the_distortion():
    ray = np.array([[0.4, -0.3, 1.0]])
    pixel = project(POSES[0], ray)
    np.testing.assert_allclose(SCENE.rays(pixel), ray, atol=1e-9)


def test_cameras_of_the_castle_are_rotations(shared):
    scene = scenes.load()
    assert len(scene.names) == 11
    assert len(list(scene.pairs())) == 55
    assert json.loads(scenes.CAMERAS.read_text())["reprojection_error"] < 0.5
    for pose in scene.poses:
        np.testing.assert_allclose(pose[:, :3] @ pose[:, :3].T, np.eye(3), atol=1e-6)

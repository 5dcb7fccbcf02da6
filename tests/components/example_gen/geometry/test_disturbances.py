"""Jitter has the spreads it is told, and homographies can be counted from another corner."""

import numpy as np
import pytest

from components.example_gen.geometry import frames
from components.example_gen.geometry.disturbances import JITTERS, Jitter, draw, misplaced


def test_each_part_has_its_spread():
    drawn = draw(20_000, Jitter(20.0, 0.2, 0.15, 0.07), np.random.default_rng(0))
    u, values, v = np.linalg.svd(drawn[:, :2, :2])
    turns = u @ v
    angle = np.degrees(np.arctan2(turns[:, 1, 0], turns[:, 0, 0]))
    scale, stretch = np.log(values).sum(1) / 2, np.log(values[:, 0] / values[:, 1]) / 2
    measured = [np.sqrt((each**2).mean()) for each in (angle, scale, stretch, drawn[:, :2, 2])]
    assert measured == pytest.approx([20.0, 0.2, 0.15, 0.07], rel=0.03)


def test_no_spread_is_no_disturbance():
    assert np.allclose(draw(3, Jitter(0, 0, 0, 0), np.random.default_rng(0)), np.eye(3))


def test_a_factor_widens_every_spread():
    once, twice = (
        draw(20_000, Jitter(10.0, 0.1, 0.1, 0.05), np.random.default_rng(0), factor)
        for factor in (1, 2)
    )
    assert np.allclose(twice[:, :2, 2], 2 * once[:, :2, 2])
    scales = [0.5 * np.log(np.linalg.det(each[:, :2, :2])) for each in (once, twice)]
    assert np.allclose(scales[1], 2 * scales[0])
    assert np.allclose(draw(3, JITTERS["t"], np.random.default_rng(0), 0), np.eye(3))


@pytest.mark.parametrize(("noise", "median"), [("e", 0.80), ("h", 0.715), ("t", 0.615)])
def test_overlaps_are_near_those_that_hpatches_tells(noise, median):
    """Published: 0.85 at easy, 0.72 at hard; rotation does not show in them."""
    drawn = draw(4000, JITTERS[noise], np.random.default_rng(1))
    assert np.median(frames.overlaps(drawn)) == pytest.approx(median, abs=0.01)


def test_each_level_is_stronger_than_the_one_before():
    strengths = [(j.rotation, j.scale, j.stretch) for j in (JITTERS[n] for n in "eht")]
    assert (np.diff(strengths, axis=0) > 0).all()


def test_an_offset_moves_nothing_under_a_translation_and_more_the_more_the_view_changes():
    translation = np.array([[1, 0, 30], [0, 1, -7], [0, 0, 1.0]])
    assert np.allclose(misplaced(translation, -1), translation)
    moved = [misplaced(np.diag([s, s, 1.0]), -1)[0, 2] for s in (1.0, 1.5, 3.0)]
    assert moved == pytest.approx([0, -0.5, -2])

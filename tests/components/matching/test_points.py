"""The strongest points of a photograph."""

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


def test_patches_are_cut_as_training_cuts_them():
    image = texture(300, 240)
    strongest = points.find(photograph(image), RULES, 50)
    assert len(strongest) == 50
    angles = detection.orientations(image, strongest.positions)
    squares = frames.from_detections(strongest.positions, angles, RULES.half_width)
    assert frames.inside(squares, 300, 240).all()
    np.testing.assert_array_equal(strongest.patches, ImageSampler(image).sample(squares))


def test_the_strongest_points_come_first_and_do_not_overlap():
    image = texture(300, 240)
    few, many = (points.find(photograph(image), RULES, limit) for limit in (20, 60))
    np.testing.assert_array_equal(many.positions[:20], few.positions)
    detections, strength = detection.detect_rated(image, RULES)
    strengths = {tuple(place): value for place, value in zip(detections, strength, strict=True)}
    ordered = [strengths[tuple(place)] for place in many.positions]
    assert ordered == sorted(ordered, reverse=True)
    rng = np.random.default_rng(0)
    assert len(frames.distinct(many.positions, RULES.max_overlap, rng)) == 60


def test_a_photograph_with_fewer_points_gives_what_it_has():
    image = texture(120, 100)
    assert 0 < len(points.find(photograph(image), RULES, 10_000)) < 1000


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (texture(40, 15), "a.png: is 40x15 pixels, expected at least 16 on the"),
        (np.full((80, 90), 120, np.uint8), r"a.png: no point was found .*\(90x80 pixels\)"),
    ],
)
def test_a_photograph_that_is_too_small_or_shows_nothing_is_refused(image, sentence):
    with pytest.raises(UserError, match=sentence):
        points.find(photograph(image), RULES, 10)

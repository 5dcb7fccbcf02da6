"""The picture of a result."""

import io

import numpy as np
import pytest
from PIL import Image

from components.example_gen.settings import ExtractionSettings
from components.matching import picture
from components.matching.descriptors import Descriptor
from components.matching.match import PairMatches, Result
from components.matching.mutual import Matches
from components.matching.photograph import Photograph
from components.matching.ransac import Fit
from components.matching.settings import MatchSettings


def photograph(width, height, path="folder/a.png"):
    image = np.full((height, width), 90, np.uint8)
    return Photograph(path, image, (width, height))


def pair_matches(name="rootsift", inliers=(True, False), errors=None):
    places = np.array([[20.0, 30], [70, 50]])
    zeros = np.zeros(2, np.int64)
    fit = None if inliers is None else Fit(np.eye(3), np.array(inliers))
    errors = None if errors is None else np.array(errors)
    descriptor = Descriptor(name, None, lambda patches: patches)
    matches = Matches(zeros, zeros, np.ones(2), np.ones(2))
    return PairMatches(descriptor, places, places + 1, matches, fit, errors, None)


def result(*items, pair=None):
    pair = pair or (photograph(100, 80), photograph(100, 80, "b.png"))
    return Result(pair, (5, 5), items, MatchSettings(), ExtractionSettings())


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).reshape(-1, 3)


def shows(content, colour):
    """Whether some pixel has a colour, nearly: lines are blended with what lies below."""
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
    return bool((np.abs(pixels(content).astype(int) - wanted).max(1) < 12).any())


@pytest.mark.parametrize(
    ("kind", "start"),
    [("png", b"\x89PNG"), ("jpg", b"\xff\xd8"), ("svg", b"<?xml"), ("pdf", b"%PDF")],
)
def test_every_kind_is_drawn_and_twice_the_same(kind, start):
    content = picture.render(result(pair_matches()), kind)
    assert content.startswith(start)
    assert content == picture.render(result(pair_matches()), kind)


def test_titles_count():
    item = pair_matches(inliers=(True, True), errors=(2.0, 4.0))
    assert (
        picture.title_of(result(item), item)
        == "rootsift\n2 matches, 2 inliers, 1 right within 3 px"
    )
    item = pair_matches(inliers=None)
    assert picture.title_of(result(item), item) == "rootsift\n2 matches, no homography"


def test_inliers_are_drawn_only_where_there_are_any():
    with_one = pixels(picture.render(result(pair_matches()), "png"))
    without = pixels(picture.render(result(pair_matches(inliers=(False, False))), "png"))
    blue = np.array([0x56, 0xB4, 0xE9])
    counts = [(np.abs(item.astype(int) - blue).max(1) < 60).sum() for item in (with_one, without)]
    assert counts[0] > 2 * counts[1] > 0  # the legend shows the colour, too


def test_right_and_wrong_have_colours_of_their_own():
    content = picture.render(result(pair_matches(errors=(0.5, 50.0))), "png")
    assert shows(content, "#009E73")
    assert shows(content, "#D55E00")
    assert not shows(picture.render(result(pair_matches()), "png"), "#D55E00")


@pytest.mark.parametrize(
    ("size", "panels", "wide"),
    [((400, 300), 1, True), ((400, 300), 2, False), ((200, 400), 2, True), ((900, 200), 1, False)],
)
def test_photographs_lie_beside_or_above_each_other_as_suits_the_picture(size, panels, wide):
    first, second = picture._layout((photograph(*size), photograph(*size)), panels)
    beside = second.corner[1] == 0
    assert beside == wide
    assert (second.corner[0] > first.far_corner[0]) == wide


def test_photographs_of_different_sizes_are_brought_to_one_height():
    first, second = picture._layout((photograph(1600, 1200), photograph(400, 300)), 1)
    assert first.image.shape == second.image.shape == (675, 900)
    np.testing.assert_allclose(first.place(np.array([[1599.0, 0]]))[0, 0], 900, atol=0.5)
    left = second.corner[0]
    np.testing.assert_allclose(second.place(np.array([[0.0, 0]])), [[left + 1.125, 1.125]])


def test_names_with_formula_signs_and_a_homography_that_flips_are_drawn():
    pair = (photograph(100, 80, "cost$_1$^2.png"), photograph(100, 80, "x" * 300 + ".png"))
    item = pair_matches()
    flipped = np.array([[1.0, 0, 0], [0, 1, 0], [-1 / 60, 0, 1]])  # corners behind the camera
    item = PairMatches(
        item.descriptor, item.first, item.second, item.matches, Fit(flipped, item.fit.inliers),
        None, None,
    )  # fmt: skip
    assert picture.render(result(item, pair=pair), "png").startswith(b"\x89PNG")


def test_no_matches_are_drawn_as_none():
    none = np.zeros((0, 2))
    empty = Matches(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0))
    item = PairMatches(pair_matches().descriptor, none, none, empty, None, None, None)
    assert picture.render(result(item), "png").startswith(b"\x89PNG")

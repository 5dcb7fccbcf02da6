"""Patches laid out by hand-counted pixels."""

import numpy as np

from trainer.reporting.pictures import GREEN, RED, caption, sprite_sheet, triplet_picture
from trainer.reporting.triplets import Triplets

# 12 pixels a side make patches of 36 and triplets of (36 + 8 + 22) x (108 + 16) pixels.
_PATCHES = np.arange(6, dtype=np.uint8)[:, None, None] * np.full((12, 12), 10, np.uint8)


def _triplets(count: int) -> Triplets:
    return Triplets(
        anchor=np.array([5, 0, 1])[:count],
        positive=np.array([4, 1, 0])[:count],
        negative=np.array([3, 2, 2])[:count],
        positive_distance=np.array([0.5, 1.0, 1.0])[:count],
        negative_distance=np.array([0.25, 2.0, 2.0])[:count],
    )


def test_a_triplet_shows_its_patches_from_left_to_right():
    picture = triplet_picture(_PATCHES, _triplets(1))
    assert picture.shape == (66, 124, 3)
    for left, grey in ((4, 50), (44, 40), (84, 30)):
        assert (picture[4:40, left : left + 36] == grey).all()


def test_the_frame_tells_right_from_wrong():
    picture = triplet_picture(_PATCHES, _triplets(2))
    wrong, right = picture[:44, :124], picture[:44, 136:]
    for one, colour in ((wrong, RED), (right, GREEN)):
        for frame in (one[:4], one[40:], one[:, :4], one[:, 40:44], one[:, 80:84], one[:, 120:]):
            assert (frame == colour).all()


def test_distances_stand_below_positive_and_negative():
    picture = triplet_picture(_PATCHES, _triplets(1))
    for left, text in ((44, "0.50"), (84, "0.25")):
        below = picture[48:62, left : left + 36, 0]
        np.testing.assert_array_equal(below, caption(text, 36))
    assert (picture[44:, :44] == 255).all()  # nothing below the anchor


def test_triplets_fill_two_columns_row_by_row():
    picture = triplet_picture(_PATCHES, _triplets(3))
    assert picture.shape == (2 * 66 + 12, 2 * 124 + 12, 3)
    assert (picture[4:40, 140:176] == 0).all()  # second anchor
    assert (picture[82:118, 4:40] == 10).all()  # third anchor
    assert (picture[78:, 136:] == 255).all()


def test_a_caption_is_legible():
    written = caption("1.75", 60)
    assert written.shape == (14, 60)
    assert written.max() == 255
    assert written.min() < 128
    assert (written[:, 40:] == 255).all()
    assert not np.array_equal(written, caption("1.76", 60))


def test_sprites_lie_row_by_row_in_the_smallest_square():
    sheet = sprite_sheet(np.arange(1, 6, dtype=np.uint8)[:, None, None] * np.ones((2, 3), np.uint8))
    assert sheet.shape == (6, 9)
    assert sheet[::2, ::3].tolist() == [[1, 2, 3], [4, 5, 0], [0, 0, 0]]
    assert (sheet[:2, 3:6] == 2).all()

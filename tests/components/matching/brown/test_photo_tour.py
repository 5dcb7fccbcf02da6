import numpy as np
import pytest

from components.matching.brown import photo_tour
from tests.components.matching.brown import photo_tours
from trainer.core.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("liberty")


@pytest.fixture(scope="module")
def patches(folder):
    return photo_tours.write(folder)


@pytest.fixture
def tour(folder, patches):
    return photo_tour.open_set(str(folder))


def test_patches_are_cut_row_by_row_from_the_sheets(tour, patches):
    wanted = np.array([0, 1, 15, 16, 255, 256, 299])  # across rows and into the second sheet
    read = np.zeros((len(wanted), 64, 64), np.uint8)
    for places, values in photo_tour.read_patches(tour, wanted):
        read[places] = values
    np.testing.assert_array_equal(read, patches[wanted])


def test_points_and_pairs_are_read(tour):
    assert tour.points.tolist() == photo_tours.points_of(300).tolist()
    pairs = photo_tour.read_pairs(tour, photo_tour.choose_pairs_file(tour))
    assert pairs.first[:4].tolist() == [0, 0, 2, 2]
    assert pairs.second[:4].tolist() == [1, 7, 3, 9]
    assert pairs.match[:4].tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("0 0 0 1 0 0 0\n300 150 0 1 0 0\n", "pair 2: patch 300 of point 150 the set does not"),
        ("0 0 0 1 0 0 0\n-1 0 0 1 0 0\n", "pair 2: patch -1 of point 0 the set does not have"),
        ("0 0 0 1 5 0 0\n", "pair 1: patch 1 of point 5 shows another point in info.txt"),
        ("0 0 0 1\n", "line 1: holds 4 numbers, expected at least 5"),
        ("0 0 0 1 zero 0\n", "is not numeric"),
        (f"0 0 0 {10**30} 0 0\n", "is not numeric .*, expected integers of at most 64 bits"),
        ("0 0 0 1 0 0\n", "holds no pair of different points"),
        ("0 0 0 2 1 0\n", "holds no pair of the same point"),
        ("", "holds no pair of"),
    ],
)
def test_pairs_that_are_not_of_the_set_are_refused(tour, tmp_path, lines, sentence):
    path = tmp_path / "pairs.txt"
    path.write_text(lines)
    with pytest.raises(UserError, match=sentence):
        photo_tour.read_pairs(tour, str(path))


def test_a_folder_that_is_no_set_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"lacks patches0000.bmp and so on, expected a PhotoTour"):
        photo_tour.open_set(str(tmp_path))
    (tmp_path / "patches0001.bmp").write_bytes(b"")
    with pytest.raises(UserError, match=r"lacks info.txt"):
        photo_tour.open_set(str(tmp_path))
    (tmp_path / "info.txt").write_text("0 0\n")
    with pytest.raises(UserError, match=r"lacks patches0000.bmp, expected all up to the last"):
        photo_tour.open_set(str(tmp_path))


def test_more_lines_than_patches_are_refused(tmp_path):
    photo_tours.write(tmp_path, count=20)
    (tmp_path / "info.txt").write_text("0 0\n" * 257)
    with pytest.raises(UserError, match="has 257 lines, but 1 files of patches hold 256"):
        photo_tour.open_set(str(tmp_path))


def test_a_damaged_or_small_sheet_is_refused(tmp_path):
    photo_tours.write(tmp_path, count=20)
    sheet = tmp_path / "patches0000.bmp"
    content = sheet.read_bytes()
    tour = photo_tour.open_set(str(tmp_path))
    sheet.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"patches0000.bmp: cannot be decoded"):
        list(photo_tour.read_patches(tour, np.array([0])))
    import cv2

    cv2.imwrite(str(sheet), np.zeros((64, 128), np.uint8))
    with pytest.raises(UserError, match=r"is 128x64 pixels, expected 1024x1024"):
        list(photo_tour.read_patches(tour, np.array([0])))


def test_a_set_with_several_files_of_pairs_asks_which(tmp_path):
    photo_tours.write(tmp_path, count=20)
    tour = photo_tour.open_set(str(tmp_path))
    (tmp_path / "m50_1000_1000_0.txt").write_text("")
    with pytest.raises(UserError, match=r"holds 2 files of pairs .* say with --pairs which"):
        photo_tour.choose_pairs_file(tour)

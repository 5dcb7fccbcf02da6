import math

import numpy as np
import pytest

from components.example_gen.geometry import homography
from trainer.core.errors import UserError


def write(tmp_path, text):
    path = tmp_path / "H_1_2"
    path.write_text(text)
    return str(path)


def test_mixed_formats_and_trailing_blanks_are_read(tmp_path):
    path = write(tmp_path, "  5.0e-01\t-1   2 \n 0 1E0 4.5  \n0.0 0 1  \n\n  \n")
    np.testing.assert_array_equal(homography.read(path), [[0.5, -1, 2], [0, 1, 4.5], [0, 0, 1]])


@pytest.mark.parametrize(
    "text",
    [
        "0.5,-1,2\n0,1,4.5\n0,0,1\n",
        "0.5, -1, 2,\r\n0, 1, 4.5,\r\n0, 0, 1\r\n",
        "0.5 -1 2\r0 1 4.5\r0 0 1\r",
        "0.5 -1 2 0 1 4.5 0 0 1",
        "0.5\n-1\n2\n0\n1\n4.5\n0\n0\n1\n",
        "[0.5, -1, 2; 0, 1, 4.5; 0, 0, 1]",
        "[[0.5, -1, 2],\n [0, 1, 4.5],\n [0, 0, 1]]\n",
        "# from 1 to 2\n0.5 -1 2  # first row\n0 1 4.5\n% matlab\n0 0 1\n",
    ],
)
def test_other_ways_to_write_a_matrix_are_read(tmp_path, text):
    path = write(tmp_path, text)
    np.testing.assert_array_equal(homography.read(path), [[0.5, -1, 2], [0, 1, 4.5], [0, 0, 1]])


def test_every_real_homography_is_read(shared):
    paths = sorted((shared / "sequences").glob("*/H_1_*"))
    assert len(paths) == 30
    for path in paths:
        assert homography.read(str(path)).shape == (3, 3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 0 0\n0 1 0\n", "holds 2 rows of 3, 3 numbers, expected a 3x3"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n", "holds 3 rows of 4, 4, 4 numbers"),
        ("1 0 0\n0 1\n0 0 1\n", "holds 3 rows of 3, 2, 3 numbers"),
        ("1,5 0 0\n0 1 0\n0 0 1\n", "holds 3 rows of 4, 3, 3 numbers"),
        ("1 0 0 0 1 0 0 0\n", "holds 1 rows of 8 numbers"),
        ("", "holds nothing, expected a 3x3 homography"),
        ("1 0 0\n0 one 0\n0 0 1\n", r"is not numeric \(could not convert"),
        ("1 0 0\n0 nan 0\n0 0 1\n", "holds a number that is not finite"),
        ("1 2 3\n2 4 6\n0 0 1\n", "is singular"),
        ("0 0 0\n0 0 0\n0 0 0\n", "is singular"),
    ],
)
def test_what_is_no_homography_is_refused(tmp_path, text, sentence):
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=sentence) as caught:
        homography.read(path)
    assert path in str(caught.value)


def test_a_matrix_of_large_shifts_and_small_perspective_is_not_singular(tmp_path):
    path = write(tmp_path, "0.25 0 3000\n0 0.25 -3000\n1e-7 1e-7 1\n")
    assert homography.read(path)[0, 2] == 3000


def test_projection_divides_by_the_third_coordinate():
    matrix = np.array([[2.0, 0, 1], [0, 2, 0], [0, 0.5, 1]])
    # (3, 2) -> (7, 4, 2) -> (3.5, 2)
    np.testing.assert_allclose(homography.project(matrix, np.array([[3.0, 2.0]])), [[3.5, 2.0]])


def test_the_jacobian_equals_finite_differences():
    matrix = np.array([[0.9, 0.3, -40], [-0.2, 0.95, 150], [2e-4, -1.6e-5, 1]])
    points = np.array([[100.0, 200], [700, 30]])
    step = 1e-4
    columns = [
        (homography.project(matrix, points + d) - homography.project(matrix, points - d))
        / (2 * step)
        for d in (np.array([step, 0]), np.array([0, step]))
    ]
    expected = np.stack(columns, axis=-1)
    np.testing.assert_allclose(homography.jacobian(matrix, points), expected, rtol=1e-6)
    many = homography.jacobian(np.stack([matrix, matrix]), points)
    np.testing.assert_allclose(many, expected, rtol=1e-6)


def test_the_sign_puts_the_image_centre_before_the_camera():
    for sign in (1, -1):
        np.testing.assert_array_equal(homography.facing(sign * np.eye(3), 100, 80), np.eye(3))


def test_a_tilt_of_sixty_degrees_halves_one_axis():
    matrix = homography.viewpoint(300, 200, math.radians(60), 0.4, 0.7, 0.8)
    centre = np.array([[149.5, 99.5]])
    values = np.linalg.svd(homography.jacobian(matrix, centre)[0], compute_uv=False)
    np.testing.assert_allclose(values, [0.8, 0.4], rtol=1e-9)
    np.testing.assert_allclose(homography.project(matrix, centre), [[0, 0]], atol=1e-9)


def test_a_frontal_view_only_moves_the_centre():
    matrix = homography.viewpoint(300, 200, 0, 1.0, 0, 1)
    np.testing.assert_allclose(
        homography.project(matrix, np.array([[0.0, 0], [299, 199]])),
        [[-149.5, -99.5], [149.5, 99.5]],
        atol=1e-9,
    )


def test_a_fitted_target_holds_the_whole_picture():
    matrix = homography.viewpoint(300, 200, 1.0, 2.0, 1.5, 0.7)
    fitted, (width, height) = homography.fit(matrix, 300, 200)
    corners = homography.project(fitted, np.array([[0.0, 0], [299, 0], [299, 199], [0, 199]]))
    assert (corners >= 0).all()
    assert (corners <= [width - 1, height - 1]).all()
    assert (corners.min(0) < 1).all()
    assert (corners.max(0) > [width - 2, height - 2]).all()


def test_pixel_centres_are_kept_when_an_image_grows():
    grown = homography.rescaling(np.array([2.0, 4.0]))
    # Pixel 0 of width 1 becomes pixels 0..1 (centre 0.5); of height 1, pixels 0..3 (1.5).
    np.testing.assert_allclose(homography.project(grown, np.array([[0.0, 0]])), [[0.5, 1.5]])
    np.testing.assert_allclose(homography.project(grown, np.array([[3.0, 1]])), [[6.5, 5.5]])

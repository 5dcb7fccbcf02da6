"""Frames of points that another program chose."""

import numpy as np
import pytest

from components.example_gen.geometry import frame_files
from trainer.core.errors import UserError


def write(folder, *rows):
    (folder / "frames.csv").write_text("\n".join(rows) + "\n")
    return str(folder / "frames.csv")


def test_a_frame_maps_the_square_to_pixels(tmp_path):
    path = write(tmp_path, "index,x,y,angle_deg,half_width", "0,50,40,90,8", "1,,,,", "2,9,7,0,3")
    squares = frame_files.read(path)
    assert frame_files.find(str(tmp_path)) == path
    assert squares.shape == (2, 3, 3)
    np.testing.assert_allclose(squares[0] @ [1, 0, 1], [50, 48, 1], atol=1e-12)
    np.testing.assert_allclose(squares[1] @ [1, -1, 1], [12, 4, 1])


def test_a_folder_without_the_file_has_no_frames(tmp_path):
    assert frame_files.find(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["x,y,half_width", "1,2,3"], "has no column 'angle_deg'"),
        (["x,y,half_width,angle_deg"], "has no column 'x'"),
        (["x,y,half_width,angle_deg", "1,2,0,0"], "row 2 holds 1, 2, 0, 0, expected numbers"),
        (["x,y,half_width,angle_deg", "1,2,3,4", "1,2,nan,0"], "row 3 holds 1, 2, nan, 0"),
        (["x,y,half_width,angle_deg", "1,2,wide,0"], "row 2 holds 1, 2, wide, 0"),
        (["x,y,half_width,angle_deg", "1,2"], "row 2 holds 1, 2, None, None"),
        (["x,y,half_width,angle_deg", ",,,"], "holds no frame"),
    ],
)
def test_what_is_no_frame_is_told(tmp_path, rows, sentence):
    with pytest.raises(UserError, match=f"frames.csv: {sentence}"):
        frame_files.find(write(tmp_path, *rows) and str(tmp_path))

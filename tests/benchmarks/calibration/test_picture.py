"""Official patches beside those cut here."""

import cv2
import numpy as np

from benchmarks.calibration import official, picture
from trainer.core.variants import VARIANTS


def test_patches_stand_in_their_rows_and_columns_with_white_between():
    patches = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1) * np.ones((4, 5), np.uint8)
    tiled = picture.tiled(patches)
    assert tiled.shape == (2 * 4 + 3, 3 * 5 + 2 * 3)
    np.testing.assert_array_equal(tiled[7:, 8:13], patches[1, 1])
    assert (tiled[4:7] == 255).all() and (tiled[:, 5:8] == 255).all()


def test_blocks_are_drawn_below_each_other(tmp_path):
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (1, len(VARIANTS), 65, 65), dtype=np.uint8)
    picture.draw({"one": one}, tmp_path / "one.png")
    picture.draw({"one": one, "two": np.repeat(one, 3, axis=0)}, tmp_path / "a" / "two.png")
    heights = [cv2.imread(str(tmp_path / name)).shape[0] for name in ("one.png", "a/two.png")]
    assert heights[1] > 3 * heights[0]


def test_points_are_read_with_their_patches_in_order(tmp_path):
    (tmp_path / "hpatches").mkdir()
    patches = np.arange(4 * 16, dtype=np.uint8).reshape(4, 16, 1, 1) * np.ones((65, 65), np.uint8)
    rows = [np.hstack(list(row)) for row in patches]
    cv2.imwrite(str(tmp_path / "hpatches" / "official_patches_of_4_points.png"), np.vstack(rows))
    np.testing.assert_array_equal(official.whole_points(tmp_path), patches)
